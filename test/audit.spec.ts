import { JournalSeals } from '../libs/identity/src/index.js';
import {
  Database,
  encodeCursor,
  journalStart,
  readPortion,
  type SealBreak,
  verifySeals,
} from '../libs/store/src/index.js';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import { freshDatabase } from './harness/database.js';
import { startApi } from './harness/processes.js';
import { shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';
import { connect, createUsers } from './relay-people.js';

/** Scenes of somebody who writes past the service, at the tables themselves. */
describe('The audit trail', () => {
  let acme: Acme;
  let store: Database;

  beforeAll(async () => {
    acme = await startAcme();
    store = new Database({ url: acme.database.url, poolMax: 2, applicationName: 'spec' });
  });
  afterAll(async () => {
    await store.close();
    await acme.stop();
  });

  /** What the command asks, without a process of its own. */
  const firstBreak = async (): Promise<SealBreak | null> => {
    const steps = verifySeals(store, { entityId: 'acme', expected: null, pauseMs: 0 });
    for (;;) {
      const { done, value } = await steps.next();
      if (done === true) return value;
    }
  };

  const verify = async (...more: string[]): Promise<{ code: number; text: string }> => {
    const { code, stdout } = await runCli(acme.database.url, ['audit', 'verify', '--entity', 'acme', ...more]);
    return { code, text: stdout };
  };
  const count = async (sql: string): Promise<number> =>
    Number((await acme.database.query<{ count: string }>(`SELECT count(*) ${sql}`))[0]?.count);
  const unsealed = 'FROM journal j WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.journal_id = j.id)';
  const sealed = async (): Promise<void> => {
    await until(async () => (await count(unsealed)) === 0, { timeoutMs: 60_000, what: 'all entries to be sealed' });
  };
  /** Both ways of what somebody does to the tables: broken while it lasts, whole again after. */
  const tampered = async (harm: string, mend: string): Promise<string> => {
    await acme.database.query(harm);
    const { code, text } = await verify();
    await acme.database.query(mend);
    expect([code, await firstBreak()]).toEqual([1, null]);
    return text;
  };
  const people = async (howMany: number, name: string): Promise<string[]> => {
    const resolved = await Promise.all(
      Array.from({ length: howMany }, (_, index) => acme.resolved('a1', `${name}${index}`, `union-${name}${index}`)),
    );
    return resolved.map(({ user }) => user.id);
  };

  it('is sealed to its end from inside an old portion, however much was written since', async () => {
    const own = await freshDatabase();
    const database = new Database({ url: own.url, poolMax: 2, applicationName: 'spec' });
    const client = await connect(own.url);
    await createUsers(client, 2);
    const { next } = await readPortion(database, { cursor: journalStart, filter: null, limit: 1 });
    await own.query('UPDATE audit_place SET cursor = $1', [encodeCursor(next)]);
    await own.query(`SELECT setval(pg_get_serial_sequence('journal', 'id'), 3000000)`);
    await createUsers(client, 3);
    const seals = new JournalSeals(database);
    expect((await seals.run()) + (await seals.run())).toBe(4);
    expect(await seals.run()).toBe(0);
    await Promise.all([client.end(), database.close()]);
    await own.drop();
  });

  it('is whole while nobody writes past the service, with merges, splits and conflicts in it', async () => {
    const [a = '', b = ''] = await people(30, 'whole');
    ok(
      await acme.operator.post('/v1/merges', {
        targetUserId: a,
        sourceUserIds: [b],
        reason: 'the same person',
        allowDifferentUnionIds: true,
      }),
    );
    await acme.resolved('a1', 'whole5', 'union-whole6');
    await sealed();
    const { code, text } = await verify();
    expect([code, text]).toEqual([
      0,
      expect.stringMatching(/acme: whole; \d+ seals over 3\d entries, head \d+:[0-9a-f]{64}/),
    ]);
  });

  it('names the entry that was changed, and what of it', async () => {
    await people(3, 'changed');
    await sealed();
    const [row] = await acme.database.query<{ id: string }>(
      `SELECT id FROM journal WHERE data::text LIKE '%"changed1"%'`,
    );
    const of = `WHERE id = ${row?.id}`;
    const content = await tampered(
      `UPDATE journal SET data = replace(data::text, '"changed1"', '"changedX"')::json ${of}`,
      `UPDATE journal SET data = replace(data::text, '"changedX"', '"changed1"')::json ${of}`,
    );
    expect(content).toMatch(new RegExp(`seal \\d+, journal entry ${row?.id}: its data, evidence or reason`));
    const actor = await tampered(
      `UPDATE journal SET actor = 'somebody' ${of}`,
      `UPDATE journal SET actor = 'operator' ${of}`,
    );
    expect(actor).toMatch(
      new RegExp(`seal \\d+, journal entry ${row?.id}: its time, user, version, type, event, cause or actor`),
    );
  });

  it('names the entry that was removed, moved or put in', async () => {
    const [userId] = await people(3, 'moved');
    await sealed();
    const [row] = await acme.database.query<{ id: string }>(`SELECT id FROM journal WHERE user_id = '${userId}'`);
    const id = Number(row?.id);
    const removed = await tampered(
      `CREATE TABLE aside AS SELECT * FROM journal WHERE id = ${id}; DELETE FROM journal WHERE id = ${id}`,
      'INSERT INTO journal OVERRIDING SYSTEM VALUE SELECT * FROM aside; DROP TABLE aside',
    );
    expect(removed).toMatch(new RegExp(`journal entry ${id}: the entry is gone`));
    const swap = `ALTER TABLE journal ALTER id SET GENERATED BY DEFAULT;
      UPDATE journal SET id = -id WHERE id IN (${id}, ${id + 1});
      UPDATE journal SET id = CASE id WHEN ${-id} THEN ${id + 1} ELSE ${id} END WHERE id IN (${-id}, ${-id - 1})`;
    // The neighbour may stand in the next seal: then what is missing is seen first.
    expect(await tampered(swap, swap)).toMatch(new RegExp(`journal entry ${id}: (its time, user|the entry is gone)`));
    const columns = 'xid, recorded_at, entity_id, shard, user_id, version, key, type, event_id, cause, actor, data';
    const forged = `SELECT 1000000, xid, recorded_at, entity_id, shard, user_id, NULL, key, type, gen_random_uuid(), cause, actor, data
      FROM journal WHERE id = ${id}`;
    const put = await tampered(
      `INSERT INTO journal (id, ${columns}) OVERRIDING SYSTEM VALUE ${forged}`,
      'DELETE FROM journal WHERE id = 1000000',
    );
    expect(put).toMatch(/journal entry 1000000: the sealer is past it and it stands in no seal/);
  });

  it('names the seal that was changed, removed or written anew', async () => {
    await people(2, 'seal');
    await sealed();
    const [last] = await acme.database.query<{ seq: string; hash: string }>(
      `SELECT seq, encode(hash, 'hex') AS hash FROM audit_seal WHERE entity_id = 'acme' ORDER BY seq DESC LIMIT 1`,
    );
    const changed = await tampered(
      `UPDATE audit_seal SET sealed_at = sealed_at + interval '1 s' WHERE seq = 1`,
      `UPDATE audit_seal SET sealed_at = sealed_at - interval '1 s' WHERE seq = 1`,
    );
    expect(changed).toContain('BROKEN at seal 1: its list of entries, its digests or its time were changed');
    const removed = await tampered(
      'CREATE TABLE aside AS SELECT * FROM audit_seal WHERE seq = 2; DELETE FROM audit_seal WHERE seq = 2',
      'INSERT INTO audit_seal SELECT * FROM aside; DROP TABLE aside',
    );
    expect(removed).toContain('BROKEN at seal 2: the seal is missing');
    const end = await tampered(
      `CREATE TABLE aside AS SELECT * FROM audit_seal WHERE seq = ${last?.seq}; DELETE FROM audit_seal WHERE seq = ${last?.seq}`,
      'INSERT INTO audit_seal SELECT * FROM aside; DROP TABLE aside',
    );
    expect(end).toMatch(/BROKEN at journal entry \d+: the sealer is past it/);
    expect((await verify('--head', `${last?.seq}:${last?.hash}`)).code).toBe(0);
    const other = await verify('--head', `${last?.seq}:${'0'.repeat(64)}`);
    expect([other.code, other.text]).toEqual([1, expect.stringContaining('not the seal that was written down')]);
  });

  it('takes no erasure for a break, sealed before or after, and keeps nothing to know the person by', async () => {
    const [early = '', late = '', alias = '', other = ''] = await people(4, 'erased');
    ok(
      await acme.operator.post('/v1/merges', {
        targetUserId: early,
        sourceUserIds: [alias],
        reason: 'the same',
        allowDifferentUnionIds: true,
      }),
    );
    const split = { identities: [{ appId: 'a1', openId: 'erased0' }], reason: 'another person' };
    ok(await acme.operator.post(`/v1/users/${early}/split`, split));
    await acme.resolved('a2', 'erased3', 'union-erased1');
    await sealed();
    for (const id of [early, late]) {
      ok(await acme.operator.delete(`/v1/users/${id}?reason=asked`));
      // Also in the moment between the change and its seal.
      expect(await firstBreak()).toBeNull();
    }
    await sealed();
    const { code, text } = await verify();
    expect([code, text]).toEqual([0, expect.stringContaining('acme: whole')]);
    const salted = `FROM audit_leaf l JOIN journal j ON j.id = l.journal_id WHERE j.user_id = '${early}' AND l.salt IS NOT NULL
      AND EXISTS (SELECT FROM audit_leaf n WHERE n.journal_id = l.journal_id AND n.seq > l.seq)`;
    expect(await count(salted)).toBe(0);
    const gone = await tampered(
      `UPDATE journal SET reason = 'another' WHERE user_id = '${early}' AND version = 1`,
      `UPDATE journal SET reason = NULL WHERE user_id = '${early}' AND version = 1`,
    );
    expect(gone).toContain('its data, evidence or reason');
    expect((await acme.user(other)).status).toBe(200);
  });

  it('stays whole when the sealer is killed again and again in the middle of its work', async () => {
    await Promise.all(acme.apis.map((api) => api.kill()));
    await acme.database
      .query(`INSERT INTO journal (recorded_at, entity_id, shard, key, type, event_id, cause, actor, data)
      SELECT clock_timestamp(), 'acme', 0, 'key', 'identity.ProfileCleared.v1', gen_random_uuid(), 'push', 'service',
        json_build_object('n', n, 'more', repeat('x', 500)) FROM generate_series(1, ${shortOrWhole(2_000, 40_000)}) n`);
    for (let kills = 0; (await count(unsealed)) > 0; kills += 1) {
      const before = await count('FROM audit_seal');
      // Nobody waits for the lease of the one that was killed.
      await acme.database.query(`DELETE FROM duty WHERE name = 'journal seals'`);
      const api = await startApi({ databaseUrl: acme.database.url, waitFor: 'nothing' });
      await until(async () => (await count('FROM audit_seal')) > before, { timeoutMs: 60_000, intervalMs: 5 });
      if (kills < shortOrWhole(1, 20)) await api.kill();
      else await sealed();
      expect(await firstBreak()).toBeNull();
    }
    expect(await count(unsealed)).toBe(0);
  }, 300_000);
});
