import fc from 'fast-check';
import type { CaseInput, Circumstances, Consent, MergeCase, Verdict } from './consent.decision.js';
import { dueMs, isPending, openCase, silentParticipants, step } from './consent.decision.js';

const deadlineMs = 1_000;
const asked = (...names: string[]) => names.map((participant) => ({ participant, deadlineMs }));
const at = (nowMs: number, more: Partial<Circumstances> = {}): Circumstances => ({
  nowMs,
  mergeable: true,
  unchanged: true,
  ...more,
});
const answer = (participant: string, word: Consent): CaseInput => ({ kind: 'answer', participant, answer: word });
const inTime = at(10);

/** Takes one input after the other, and says how the last one was taken. */
function after(state: MergeCase, ...inputs: readonly [CaseInput, Circumstances][]): [string, Verdict | null] {
  let verdict: Verdict | null = null;
  for (const [input, circumstances] of inputs) ({ state, verdict } = step(state, input, circumstances));
  return [state.status, verdict];
}

describe('A merge that waits for consent', () => {
  const both = openCase(asked('points', 'shop'), false);

  it('is committed by the last answer, and by nothing before it', () => {
    expect(after(both, [answer('points', 'accept'), inTime])).toEqual(['pending_consent', 'counted']);
    expect(after(both, [answer('points', 'accept'), inTime], [answer('shop', 'accept'), at(999)])).toEqual([
      'merged',
      'counted',
    ]);
  });

  it('is rejected by one refusal, whatever the others said', () => {
    const refused: [CaseInput, Circumstances] = [answer('shop', 'refuse'), inTime];
    expect(after(both, refused)).toEqual(['rejected', 'counted']);
    expect(after(both, [answer('points', 'accept'), inTime], refused)).toEqual(['rejected', 'counted']);
    expect(after(both, refused, [answer('points', 'accept'), inTime])).toEqual(['rejected', 'late']);
  });

  it('takes silence until the deadline for a refusal, from the deadline on and not before', () => {
    expect(after(both, [{ kind: 'time' }, at(999)])).toEqual(['pending_consent', 'counted']);
    expect(after(both, [{ kind: 'time' }, at(1_000)])).toEqual(['rejected', 'counted']);
    expect(after(both, [answer('points', 'accept'), at(1_000)])).toEqual(['rejected', 'late']);
    expect(after(both, [{ kind: 'approve' }, at(1_000)])).toEqual(['rejected', 'unknown']);
    expect(silentParticipants(both, 999)).toEqual([]);
    expect(silentParticipants(step(both, answer('points', 'accept'), inTime).state, 1_000)).toEqual(['shop']);
  });

  it('counts the first answer of everybody who was asked, and no other', () => {
    const accepted: [CaseInput, Circumstances] = [answer('points', 'accept'), inTime];
    expect(after(both, accepted, accepted)).toEqual(['pending_consent', 'repeated']);
    expect(after(both, accepted, [answer('points', 'refuse'), inTime])).toEqual(['pending_consent', 'repeated']);
    expect(after(both, [answer('stranger', 'accept'), inTime])).toEqual(['pending_consent', 'unknown']);
    expect(after(both, [answer('stranger', 'refuse'), inTime])).toEqual(['pending_consent', 'unknown']);
  });

  it('is stale where the two cannot be merged any more when the last answer comes', () => {
    const one = openCase(asked('points'), false);
    expect(after(one, [answer('points', 'accept'), at(10, { mergeable: false })])).toEqual(['stale', 'counted']);
    // A login that links one more identity is nothing that was consented to or not.
    expect(after(one, [answer('points', 'accept'), at(10, { unchanged: false })])).toEqual(['merged', 'counted']);
  });

  it('needs no approval that was not asked for', () => {
    expect(after(both, [{ kind: 'approve' }, inTime])).toEqual(['pending_consent', 'unknown']);
  });

  it('is withdrawn by a rejection until it is decided', () => {
    expect(after(both, [{ kind: 'reject' }, inTime])).toEqual(['rejected', 'counted']);
    const accepted = asked('points', 'shop').map(({ participant }): [CaseInput, Circumstances] => [
      answer(participant, 'accept'),
      inTime,
    ]);
    expect(after(both, ...accepted, [{ kind: 'reject' }, inTime])).toEqual(['merged', 'late']);
  });
});

describe('A merge that waits for consent and for approval', () => {
  const needsBoth = openCase(asked('points'), true);
  const accepted: [CaseInput, Circumstances] = [answer('points', 'accept'), inTime];
  const approved: [CaseInput, Circumstances] = [{ kind: 'approve' }, inTime];

  it('is committed by whichever comes last', () => {
    expect(after(needsBoth, accepted)).toEqual(['pending_approval', 'counted']);
    expect(after(needsBoth, accepted, approved)).toEqual(['merged', 'counted']);
    expect(after(needsBoth, approved)).toEqual(['pending_consent', 'counted']);
    expect(after(needsBoth, approved, accepted)).toEqual(['merged', 'counted']);
  });

  it('may be approved after the deadline, where consent was given before it', () => {
    expect(after(needsBoth, accepted, [{ kind: 'approve' }, at(5_000)])).toEqual(['merged', 'counted']);
    expect(after(needsBoth, approved, [{ kind: 'time' }, at(5_000)])).toEqual(['rejected', 'counted']);
  });

  it('is approved once, and only as the approver has seen it', () => {
    expect(after(needsBoth, approved, approved)).toEqual(['pending_consent', 'repeated']);
    expect(after(needsBoth, [{ kind: 'approve' }, at(10, { unchanged: false })])).toEqual(['stale', 'counted']);
    expect(after(needsBoth, [{ kind: 'approve' }, at(10, { mergeable: false })])).toEqual(['stale', 'counted']);
    expect(after(openCase([], true), approved)).toEqual(['merged', 'counted']);
    expect(after(openCase([], true), [{ kind: 'reject' }, inTime], approved)).toEqual(['rejected', 'late']);
  });
});

/**
 * What happens to a message on its way. A crash before the commit leaves the rows as they were; the sender did not hear of
 * it and sends again. After a crash behind the commit it sends again too: to the rows that is a message doubled.
 */
const fates = ['once', 'dropped', 'doubled, or crash after commit', 'delayed', 'crash before commit'] as const;
type Fate = (typeof fates)[number];

interface Delivery {
  readonly input: CaseInput;
  readonly isLost: boolean;
}

function deliveries(input: CaseInput, fate: Fate): { readonly early: Delivery[]; readonly late: Delivery[] } {
  const arrives = { input, isLost: false };
  if (fate === 'dropped') return { early: [], late: [] };
  if (fate === 'delayed') return { early: [], late: [arrives] };
  if (fate === 'once') return { early: [arrives], late: [] };
  return { early: [{ input, isLost: fate === 'crash before commit' }, arrives], late: [] };
}

/** Runs a whole history against the rows, and checks at every step what must never happen. */
function live(start: MergeCase, history: readonly { readonly delivery: Delivery; readonly at: Circumstances }[]) {
  let stored = start;
  let commits = 0;
  const accepted = new Set<string>();
  for (const { delivery, at: now } of history) {
    const { input } = delivery;
    const { state, verdict } = step(stored, input, now);
    if (delivery.isLost) continue;
    must(isPending(stored) || state === stored, 'what is decided stays');
    must(verdict === 'counted' || !isPending(state) || state === stored, 'what does not count changes nothing');
    if (input.kind === 'answer' && input.answer === 'accept' && verdict === 'counted') accepted.add(input.participant);
    if (isPending(stored) && state.status === 'merged') {
      commits += 1;
      must(silentParticipants(stored, now.nowMs).length === 0, 'no commit after a silence');
      must(
        state.asked.every(({ participant }) => accepted.has(participant)),
        'no commit without everybody',
      );
      must(now.mergeable, 'no commit of what may not be merged');
      must(state.approval !== 'awaited', 'no commit without the approval');
    }
    stored = state;
  }
  must(commits === (stored.status === 'merged' ? 1 : 0), 'one commit at the most');
  return stored;
}

/** Asked a million times; an `expect` for each would take minutes. */
function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`broken: ${rule}`);
}

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length === 0) return [[]];
  return all.flatMap((one, index) => permutations(all.toSpliced(index, 1)).map((rest) => [one, ...rest]));
}

const expectedOf = (early: readonly Delivery[], needsApproval: boolean): 'merged' | 'rejected' | 'pending_approval' => {
  const effective = early.filter(({ isLost }) => !isLost).map(({ input }) => input);
  const refusedOrMissing = ['points', 'shop'].some((participant) => {
    const first = effective.find((input) => input.kind === 'answer' && input.participant === participant);
    return first?.kind !== 'answer' || first.answer === 'refuse';
  });
  if (refusedOrMissing) return 'rejected';
  return needsApproval && effective.every(({ kind }) => kind !== 'approve') ? 'pending_approval' : 'merged';
};

describe('Whatever happens on the way', () => {
  const words: readonly Consent[] = ['accept', 'refuse'];
  it.each([true, false])(
    'two answers and an approval, each lost, doubled, delayed or cut off by a crash, in every order, end as they must (approval needed: %s)',
    (needsApproval) => {
      const start = openCase(asked('points', 'shop'), needsApproval);
      let histories = 0;
      for (const a of fates)
        for (const b of fates)
          for (const c of needsApproval ? fates : (['dropped'] as const))
            for (const word of words) {
              const messages = [
                deliveries(answer('points', 'accept'), a),
                deliveries(answer('shop', word), b),
                deliveries({ kind: 'approve' }, c),
              ];
              const late = messages.flatMap((message) => message.late);
              const expiry: Delivery = { input: { kind: 'time' }, isLost: false };
              for (const early of permutations(messages.flatMap((message) => message.early)))
                for (const afterwards of [
                  [expiry, ...late],
                  [...late, expiry],
                ]) {
                  histories += 1;
                  const end = live(start, [
                    ...early.map((delivery) => ({ delivery, at: inTime })),
                    ...afterwards.map((delivery) => ({ delivery, at: at(2_000) })),
                  ]);
                  const expected = expectedOf(early, needsApproval);
                  const approvedLate = expected === 'pending_approval' && c === 'delayed';
                  if (end.status !== (approvedLate ? 'merged' : expected))
                    throw new Error(
                      `${end.status} instead of ${expected}: ${JSON.stringify({ a, b, c, word, early })}`,
                    );
                }
            }
      expect(histories).toBeGreaterThan(needsApproval ? 10_000 : 100);
    },
    60_000,
  );

  it('any history of answers, approvals and time commits at most once, never after a silence, and comes to an end', () => {
    const names = ['a', 'b', 'c', 'd'];
    const input: fc.Arbitrary<CaseInput> = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('answer' as const),
          participant: fc.constantFrom(...names, 'stranger'),
          answer: fc.oneof(
            { weight: 5, arbitrary: fc.constant('accept' as const) },
            { weight: 1, arbitrary: fc.constant('refuse' as const) },
          ),
        }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'approve' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'time' as const }) },
    );
    const taken = fc.record({
      input,
      isLost: fc.boolean(),
      waitMs: fc.nat(40),
      mergeable: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
      unchanged: fc.boolean(),
    });
    const ends = new Set<string>();
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.array(taken, { maxLength: 40 }),
        (deadlines, needsApproval, history) => {
          const people = deadlines.map((ms, index) => ({ participant: names[index] ?? '', deadlineMs: ms }));
          let nowMs = 0;
          const lived = history.map(({ input: one, isLost, waitMs, ...circumstances }) => {
            nowMs += waitMs;
            return { delivery: { input: one, isLost }, at: { nowMs, ...circumstances } };
          });
          const last = { delivery: { input: { kind: 'time' as const }, isLost: false }, at: at(nowMs + 600) };
          const end = live(openCase(people, needsApproval), [...lived, last]);
          must(end.status !== 'pending_consent' && dueMs(end) === null, 'every case ends');
          ends.add(end.status);
        },
      ),
      { numRuns: 10_000 },
    );
    // The histories are worth something only if they reach every end.
    expect([...ends].toSorted()).toEqual(['merged', 'pending_approval', 'rejected', 'stale']);
  });

  it('says when somebody has to look at the clock, and only while an answer is missing', () => {
    const start = openCase([...asked('points'), { participant: 'shop', deadlineMs: 500 }], true);
    expect(dueMs(start)).toBe(500);
    const halfway = step(start, answer('shop', 'accept'), inTime).state;
    expect(dueMs(halfway)).toBe(1_000);
    expect(dueMs(step(halfway, answer('points', 'accept'), inTime).state)).toBeNull();
    expect(dueMs(step(halfway, answer('points', 'refuse'), inTime).state)).toBeNull();
  });
});
