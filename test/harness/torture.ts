/** How often, or how long: the short form in `npm test`, the whole of it in `npm run torture`. */
export const shortOrWhole = (short: number, whole: number): number =>
  process.env.UNIONLINK_TORTURE === '1' ? whole : short;
