import type { Asker, Observation } from '#identity';
import { admit, Refusal, Resolver } from '#identity';
import type { Inbox, InboundRecord, Work } from './inbox.js';
import { originOf, parseJson } from './inbox.js';

/** What trusted back ends saw, by Kafka instead of by REST: the same body, the same door, the same resolver. */
export class ObservationsInbox implements Inbox {
  /** The resolver reads 256 at a time in two lanes. */
  readonly chunkMax = 512;

  constructor(private readonly resolver: Resolver) {}

  read(record: InboundRecord): Work {
    const observation = asOf(record, admit(parseJson(record)));
    const asker = askerOf(record);
    const { appId, openId } = observation;
    const identity = `${appId}:${openId}`;
    return {
      // A producer may use a key of its own; then both orders are kept.
      keys: [...new Set([record.key?.toString('latin1') ?? identity, identity])],
      apply: async () => {
        const [answer] = await this.resolver.resolve([observation], asker);
        if (answer instanceof Refusal) throw answer;
      },
    };
  }
}

/**
 * Left out or yet to come, the time it was seen is when it was handed over, not when we came to read it: a record that
 * waited, or comes again after a kill, must not bring back what was erased meanwhile (P7).
 */
function asOf({ timestamp }: InboundRecord, observation: Observation): Observation {
  const stampedMs = Number(timestamp);
  const { observedAt } = observation;
  if ((observedAt !== null && observedAt.getTime() <= Date.now()) || !(stampedMs > 0)) return observation;
  return { ...observation, observedAt: new Date(Math.min(stampedMs, Date.now())) };
}

/** The entity is that of the app: whoever may write to the topic is trusted with all of them. */
const askerOf = (record: InboundRecord): Asker => ({ entityId: null, ...originOf(record, 'observation', 'kafka') });
