/** How often, or how long: the short form in `npm test`, the whole of it in `npm run torture`. */
export const shortOrWhole = (short: number, whole: number): number =>
  process.env.UNIONLINK_TORTURE === '1' ? whole : short;

/** What a long form did, said to whoever waited for it: `npm run torture` is run for its numbers. */
export function counted(what: string, numbers: object): void {
  if (process.env.UNIONLINK_TORTURE === '1') process.stderr.write(`${what}: ${JSON.stringify(numbers)}\n`);
}
