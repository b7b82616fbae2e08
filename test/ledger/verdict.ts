import { createHash } from 'node:crypto';
import { Judge, type Judgement } from '../broker/judge.js';
import { readThrough } from '../broker/read-through.js';
import type { Acknowledged } from './callers.js';
import type { Installation } from './installation.js';

export interface Verdict extends Judgement {
  /** Acknowledged to a caller, and not what a consumer ends up with. */
  readonly broken: readonly Acknowledged[];
}

export interface Counted {
  readonly verdict: Verdict;
  readonly acknowledged: number;
  readonly events: number;
  readonly repeats: number;
}

interface State {
  readonly id: string;
  readonly status: string;
  readonly mergedInto: string | null;
  readonly identities?: readonly { readonly appId: string; readonly openId: string }[];
}

const digest = (text: string): string => createHash('md5').update(text).digest('base64');

/** Reads the topic as the simplest consumer of the contract does, and holds it against the journal and the ledger. */
export async function judgeInstallation(
  { database, brokers, events }: Installation,
  ledger: readonly Acknowledged[],
): Promise<Counted> {
  const committed = await committedContents(database);
  const judge = new Judge();
  const states = new Map<string, State>();
  const spoilt = new Set<string>();
  await readThrough(events, brokers, (record) => {
    if (record.version > (judge.versions.get(record.key) ?? 0)) {
      const data = JSON.parse(record.value) as { user: State };
      states.set(record.key, data.user);
    }
    judge.take(record);
    if (committed.get(record.id) !== digest(record.value)) spoilt.add(record.id);
  });
  const judgement = judge.against(new Set(committed.keys()));
  const owners = ownersOf(states);
  const broken = ledger.filter(({ userId, version, identity }) => {
    const isTold = (judge.versions.get(userId) ?? 0) >= version;
    return !isTold || owners.get(identity) !== leadsTo(states, userId);
  });
  return {
    verdict: { ...judgement, phantom: Math.max(judgement.phantom, spoilt.size), broken: broken.slice(0, 5) },
    acknowledged: ledger.length,
    events: committed.size,
    repeats: judge.repeats,
  };
}

async function committedContents(database: Installation['database']): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  const page = 5_000;
  for (let after = 0; ;) {
    const rows = await database.query<{ id: number; event_id: string; data: string }>({
      text: 'SELECT id, event_id, data::text FROM journal WHERE version IS NOT NULL AND id > $1 ORDER BY id LIMIT $2',
      values: [after, page],
    });
    for (const { event_id, data } of rows) contents.set(event_id, digest(data));
    const last = rows.at(-1);
    if (last === undefined) return contents;
    after = last.id;
  }
}

function ownersOf(states: ReadonlyMap<string, State>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { id, identities = [] } of states.values())
    for (const { appId, openId } of identities) owners.set(`${appId}:${openId}`, id);
  return owners;
}

function leadsTo(states: ReadonlyMap<string, State>, userId: string): string | undefined {
  const state = states.get(userId);
  if (state?.status === 'merged' && state.mergedInto !== null) return leadsTo(states, state.mergedInto);
  return state?.id;
}
