/** Another transaction was quicker with the same row; the same work, done again, sees what it wrote. */
export class LostRace extends Error {
  override readonly name = 'LostRace';
}

/** Lost races over the same rows; each is tried again, then the last one is the outcome. */
const RACES_MAX = 8;

export async function racing<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === RACES_MAX || !isRace(error)) throw error;
    }
  }
}

/** Postgres says "try again": deadlock, serialization, a unique key that somebody else took. Prisma wraps the code. */
function isRace(error: unknown): boolean {
  if (error instanceof LostRace) return true;
  return /\b(40P01|40001|23505|P2034)\b/.test(codes(error, 4));
}

function codes(error: unknown, depth: number): string {
  if (typeof error !== 'object' || error === null || depth === 0) return '';
  const parts = Object.entries(error).filter(([name]) => /code|cause|meta|driverAdapterError/i.test(name));
  const own = 'cause' in error ? codes(error.cause, depth - 1) : '';
  return parts.map(([, part]) => (typeof part === 'string' ? part : codes(part, depth - 1))).join(' ') + own;
}
