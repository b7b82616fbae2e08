import { Refusal } from '../machine.js';
import { replay, replayHelp } from './events/replay.js';
import { snapshot, snapshotHelp } from './events/snapshot.js';
import { tail, tailHelp } from './events/tail.js';

export const help = `events: what was announced

${tailHelp}

${replayHelp}

${snapshotHelp}

Times are RFC 3339 (2026-11-23T08:00:00Z). DATABASE_URL as for the API; KAFKA_BROKERS and the other Kafka settings as for the relay.
Exit code 0: done. 1: refused or failed, and why on standard error.`;

export async function run([what, ...args]: readonly string[]): Promise<number> {
  if (what === 'tail') return tail(args);
  if (what === 'replay') return replay(args);
  if (what === 'snapshot') return snapshot(args);
  throw new Refusal(what === undefined ? help : `no such command: events ${what}\n\n${help}`);
}
