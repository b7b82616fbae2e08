import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../tools/machine.js';
import { flawless } from './broker/judge.js';
import { endsOf } from './broker/read-through.js';
import { readTopic } from './harness/kafka.js';
import { randomOf } from './harness/random.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';
import { type Callers, startCallers } from './ledger/callers.js';
import {
  type Installation,
  type InstallationOptions,
  type RelaySlot,
  startInstallation,
} from './ledger/installation.js';
import { type Ends, repeatsAcross } from './ledger/repeats.js';
import { judgeInstallation } from './ledger/verdict.js';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const random = randomOf(seed);
const below = (limit: number): number => Math.floor(random() * limit);
const patience = { timeoutMs: 120_000 };
/** Longer than any of the whole forms takes on a busy machine. */
const timeLimitMs = 3_600_000;
const isWhole = process.env.UNIONLINK_TORTURE === '1';

const loseAnswers = async (relay: RelaySlot): Promise<number> => {
  // Up to as many in a row as a send is tried: then it is rejected.
  const times = 1 + below(4);
  await relay.proxy.next('produce', 'lose', times).done;
  await delay(below(30));
  return times;
};

interface Torture {
  readonly what: string;
  readonly options?: InstallationOptions;
  readonly run: () => Promise<void>;
}

describe(`What callers were told, APIs and relays under load (SEED=${seed})`, () => {
  let installation: Installation;
  let callers: Callers;

  const begin = async (options: InstallationOptions = {}): Promise<void> => {
    installation = await startInstallation(options);
    callers = startCallers(
      installation.apis.map((slot) => slot.app().url),
      random,
    );
    await untilMore();
  };

  /** So many were answered since. */
  const untilMore = async (answers = 5): Promise<void> => {
    const before = callers.ledger.length;
    await until(() => callers.ledger.length > before + answers, { ...patience, what: 'callers to be answered' });
  };

  /** It publishes: a relay that never came to that would be no loss. */
  const untilHolding = async (relay: RelaySlot): Promise<string> => {
    const relayId = await relay.relayId();
    const text = 'SELECT count(*) AS held FROM relay_shard WHERE owner = $1 AND expires_at > clock_timestamp()';
    const held = async (): Promise<boolean> =>
      ((await installation.database.query<{ held: number }>({ text, values: [relayId] }))[0]?.held ?? 0) > 0;
    await until(held, { ...patience, what: 'a relay to hold shards' });
    return relayId;
  };

  const judged = async (what: string): Promise<object> => {
    await callers.end();
    await installation.untilPublished();
    const { verdict, ...counts } = await judgeInstallation(installation, callers.ledger);
    if (isWhole) say(`${what}: ${JSON.stringify({ ...counts, failures: callers.failures, ...verdict })}`);
    return verdict;
  };

  const relayOf = (index: number): RelaySlot => installation.relays[index % installation.relays.length] as RelaySlot;

  /** What was committed until now is on its way, or there. */
  const untilPublishing = async (): Promise<void> => {
    const text = 'SELECT md5(string_agg(cursor, $$ $$ ORDER BY shard)) AS places FROM relay_shard';
    const places = async (): Promise<string | undefined> =>
      (await installation.database.query<{ places: string }>({ text }))[0]?.places;
    const before = await places();
    await until(async () => (await places()) !== before, { ...patience, what: 'a place to move on' });
  };

  const killRelay = async (relay: RelaySlot): Promise<void> => {
    const relayId = await untilHolding(relay);
    await untilPublishing();
    await delay(below(100));
    await relay.replace();
    await installation.expireLeasesOf(relayId);
  };

  /** One of its sends is stored and it does not know, another one never arrives. Answers where the topic ended then. */
  const killBetweenSendAndSave = async (relay: RelaySlot): Promise<Ends> => {
    const { events, brokers } = installation;
    const relayId = await untilHolding(relay);
    await untilPublishing();
    const lost = relay.proxy.next('produce', 'hold', 1, events);
    const unknown = relay.proxy.next('produce', 'swallow', 1, events);
    await Promise.all([lost.done, unknown.done]);
    await relay.replace();
    const ends = await endsOf(events, brokers);
    await untilMore();
    await installation.expireLeasesOf(relayId);
    return ends;
  };

  const killApi = async (index: number): Promise<void> => {
    const slot = installation.apis[index % installation.apis.length];
    await until(async () => (await fetch(`${slot?.app().url}/readyz`)).ok, { ...patience, what: 'an API to be ready' });
    await untilMore(20);
    await delay(below(100));
    await slot?.replace();
  };

  /** Stands still with a send under way, and wakes up when another one has published what is newer. */
  const makeZombie = async (relay: RelaySlot): Promise<void> => {
    const relayId = await untilHolding(relay);
    const struck = relay.proxy.next('produce', 'hold');
    await struck.done;
    relay.app().pause();
    await installation.expireLeasesOf(relayId);
    const text = 'SELECT count(*) AS left FROM relay_shard WHERE owner IS NULL OR expires_at < clock_timestamp()';
    const areTaken = async (): Promise<boolean> =>
      (await installation.database.query<{ left: number }>({ text }))[0]?.left === 0;
    await until(areTaken, { ...patience, what: 'the leases to be taken over' });
    await untilMore();
    if (below(2) === 0) struck.release();
    relay.app().resume();
    await delay(below(50));
    struck.release();
  };

  const short: Torture[] = [
    {
      what: 'kill -9 of an API and a relay, and lost answers of Kafka',
      run: async () => {
        await killApi(0);
        for (const relay of installation.relays) {
          await killRelay(relay);
          await loseAnswers(relay);
        }
      },
    },
  ];

  const long: Torture[] = [
    {
      what: '200 times kill -9 of an API or a relay',
      run: async () => {
        for (let kill = 0; kill < 100; kill += 1) {
          await killApi(kill);
          await killRelay(relayOf(kill));
        }
      },
    },
    {
      what: '50 times kill -9 of PostgreSQL',
      options: { hasOwnPostgres: true },
      run: async () => {
        for (let kill = 0; kill < 50; kill += 1) {
          await untilMore();
          await delay(below(500));
          await installation.killPostgres();
        }
      },
    },
    {
      what: '50 times kill -9 of the broker',
      options: { hasOwnBroker: true },
      run: async () => {
        for (let kill = 0; kill < 50; kill += 1) {
          await untilPublishing();
          await delay(below(500));
          await installation.killBroker();
        }
      },
    },
    {
      what: '1,000 lost answers of Kafka',
      run: async () => {
        await Promise.all(
          installation.relays.map(async (relay) => {
            await untilHolding(relay);
            for (let lost = 0; lost < 500;) lost += await loseAnswers(relay);
          }),
        );
      },
    },
    {
      what: '50 relays that come back from the dead with a send under way',
      run: async () => {
        for (let zombie = 0; zombie < 50; zombie += 1) await makeZombie(relayOf(zombie));
      },
    },
  ];

  afterEach(() => installation.stop());

  it.each(isWhole ? long : short)(
    'outlives $what',
    async ({ what, options, run }) => {
      await begin(options);
      await run();
      expect(await judged(what)).toEqual({ ...flawless, broken: [] });
    },
    timeLimitMs,
  );

  it(
    'outlives relays that are killed between the send and the save, each of which repeats something (scenario 18)',
    async () => {
      await begin();
      const deaths: Ends[] = [];
      for (let kill = 0; kill < shortOrWhole(4, 20); kill += 1)
        deaths.push(await killBetweenSendAndSave(relayOf(kill)));
      expect(await judged(`${deaths.length} times kill -9 between send and save`)).toEqual({ ...flawless, broken: [] });
      const repeats = repeatsAcross(deaths, await readTopic(installation.events, installation));
      counted('stored again after each kill', repeats);
      expect(repeats.map((count) => count > 0)).toEqual(deaths.map(() => true));
      expect(callers.failures).toBe(0);
    },
    timeLimitMs,
  );
});
