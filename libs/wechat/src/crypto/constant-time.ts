import { timingSafeEqual } from 'node:crypto';

/** Compares two digests without telling by its duration how much of them agrees. */
export function isSameDigest(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
