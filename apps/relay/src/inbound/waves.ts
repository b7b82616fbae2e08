/**
 * Cuts a sequence into waves: within one nothing shares a key, so all of it may run at once; and what shares a key with
 * something earlier comes in a later wave. As few waves as that allows.
 */
export function wavesOf<Item extends { readonly keys: readonly string[] }>(items: readonly Item[]): Item[][] {
  const waves: Item[][] = [];
  const lastOf = new Map<string, number>();
  for (const item of items) {
    const index = 1 + Math.max(-1, ...item.keys.map((key) => lastOf.get(key) ?? -1));
    for (const key of item.keys) lastOf.set(key, index);
    const wave = waves[index];
    if (wave === undefined) waves.push([item]);
    else wave.push(item);
  }
  return waves;
}
