import type { KafkaRecord } from '../harness/kafka.js';

/** Where a topic ended, by partition. */
export type Ends = ReadonlyMap<number, bigint>;

/**
 * How many of the records that were stored before each of these moments, and behind the moment before it, were stored
 * again after it. Copies that are not alike are an error.
 */
export function repeatsAcross(moments: readonly Ends[], records: readonly KafkaRecord[]): number[] {
  const momentsBefore = ({ partition, offset }: KafkaRecord): number =>
    moments.filter((ends) => offset >= (ends.get(partition) ?? 0n)).length;
  const repeats = moments.map(() => 0);
  const copies = new Map<string, { readonly content: string; readonly at: number }>();
  for (const record of records) {
    const id = record.headers.ce_id ?? '';
    const content = JSON.stringify([record.key, record.value, record.headers]);
    const at = momentsBefore(record);
    const earlier = copies.get(id);
    if (earlier !== undefined && earlier.content !== content) throw new Error(`two contents of the event ${id}`);
    if (earlier !== undefined && earlier.at < at) repeats[earlier.at] = (repeats[earlier.at] ?? 0) + 1;
    copies.set(id, { content, at });
  }
  return repeats;
}
