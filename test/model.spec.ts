import fc from 'fast-check';
import { type Acme, brokenInvariants, startAcme } from './harness/acme.js';
import { shortOrWhole } from './harness/torture.js';
import { People } from './model/people.js';
import { kept, sequences } from './model/sequences.js';
import { Service } from './model/service.js';

/**
 * Random sequences of everything that can be done to people, done to the service and to the model of test/model at once:
 * every answer and every look-up must be the same. The lanes share a database and never meet.
 */

/** The short form draws the same sequences every time, so that what is green stays green; the whole one draws new ones. */
const seed = Number(process.env.SEED ?? shortOrWhole(1, Date.now() % 1_000_000));
const lanes = 12;
/** A failing sequence is shrunk for so long at most. */
const timeLimitMs = shortOrWhole(90_000, 5_400_000);
const limits = { soft: 4, hard: 6 };
const apps = { a1: 'op1', a2: 'op1', a3: 'op1', a9: 'op2', a0: null };

describe(`The service and its model (SEED=${seed})`, () => {
  let acme: Acme;
  let sequence = 0;

  beforeAll(async () => {
    const env = { IDENTITIES_PER_USER_MAX: String(limits.soft), IDENTITIES_PER_USER_HARD_MAX: String(limits.hard) };
    acme = await startAcme({ apis: 2, env });
  });
  afterAll(() => acme.stop());

  const start = (): { model: People; real: Service } => {
    sequence += 1;
    const identities = Object.keys(apps).flatMap((app) =>
      ['one', 'two'].map((name) => `${app}:${name}-in-${app}-${sequence}`),
    );
    const unionIds = ['first', 'second', 'third'].map((name) => `union-${name}-${sequence}`);
    return { model: new People(apps, limits), real: new Service(() => acme.anyone(), identities, unionIds) };
  };

  it.each([...kept.keys()])('answer the same where %s', async (name) => {
    const { model, real } = start();
    await fc.asyncModelRun(() => ({ model, real }), kept.get(name) ?? []);
    await real.expectEverything(model);
    expect(model.persons.length).toBeGreaterThan(0);
  });

  it('answer the same to whatever is done in whatever order', async () => {
    // The first lane that fails shrinks its sequence; the others stop, so that the machine is its own.
    let failing: number | null = null;
    const run = (lane: number): Promise<void> =>
      fc.assert(
        fc.asyncProperty(sequences, async (commands) => {
          if (failing !== null && failing !== lane) return;
          try {
            const { model, real } = start();
            await fc.asyncModelRun(() => ({ model, real }), commands);
            await real.expectEverything(model);
          } catch (error) {
            failing ??= lane;
            throw error;
          }
        }),
        {
          seed: seed + lane,
          numRuns: Math.ceil(shortOrWhole(36, 5_000) / lanes),
          interruptAfterTimeLimit: timeLimitMs,
          // Fewer than asked for are not all of them.
          markInterruptAsFailure: true,
        },
      );
    const ran = await Promise.allSettled(Array.from({ length: lanes }, (_, lane) => run(lane)));
    const failures = ran.flatMap((one) => (one.status === 'rejected' ? [saying(one.reason)] : []));
    expect(failures.join('\n\n')).toBe('');
    expect(await brokenInvariants(acme.database)).toEqual([]);
  }, 6_000_000);
});

/** Seed and shrunk sequence, and below them what differed. */
function saying(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  return reason.cause === undefined ? reason.message : `${reason.message}\n${saying(reason.cause)}`;
}
