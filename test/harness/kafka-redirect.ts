/** Answers that tell where brokers are, by the numbers that Kafka's protocol gives them. */
const metadataKey = 3;
const findCoordinatorKey = 10;

/**
 * Writes our port over the broker's own, in place: the host stays 127.0.0.1. Versions up to those that KafkaJS 2.2.4
 * speaks; later ones have compact strings.
 */
export function redirectBrokers(
  answer: Buffer,
  asked: { readonly apiKey: number; readonly apiVersion: number },
  port: number,
): void {
  // The length, and the number of the request.
  const head = 8;
  if (asked.apiKey === metadataKey) {
    if (asked.apiVersion > 8) throw new Error(`Metadata ${asked.apiVersion} is not a version that can be redirected`);
    let at = head + (asked.apiVersion >= 3 ? 4 : 0);
    const count = answer.readInt32BE(at);
    at += 4;
    for (let broker = 0; broker < count; broker += 1) {
      at = overwrite(answer, at, port);
      if (asked.apiVersion >= 1) at += 2 + Math.max(0, answer.readInt16BE(at));
    }
  }
  if (asked.apiKey === findCoordinatorKey) {
    if (asked.apiVersion > 2) throw new Error(`FindCoordinator ${asked.apiVersion} cannot be redirected`);
    let at = head + (asked.apiVersion >= 1 ? 4 : 0) + 2;
    if (asked.apiVersion >= 1) at += 2 + Math.max(0, answer.readInt16BE(at));
    overwrite(answer, at, port);
  }
}

/** A node's number, host and port; answers where the next thing begins. No host, no broker: nothing to change. */
function overwrite(answer: Buffer, at: number, port: number): number {
  const hostLength = Math.max(0, answer.readInt16BE(at + 4));
  const portAt = at + 4 + 2 + hostLength;
  if (hostLength > 0) answer.writeInt32BE(port, portAt);
  return portAt + 4;
}
