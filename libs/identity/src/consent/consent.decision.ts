/** A merge by hand that waits for the consent of participants, for an approval, or for both. */
export interface MergeCase {
  readonly status: CaseStatus;
  readonly approval: 'not_needed' | 'awaited' | 'given';
  readonly asked: readonly Asked[];
}

export type CaseStatus = 'pending_consent' | 'pending_approval' | 'merged' | 'reverted' | 'rejected' | 'stale';

export interface Asked {
  readonly participant: string;
  /** From this moment on silence is a refusal. */
  readonly deadlineMs: number;
  readonly answer: Consent | null;
}

export type Consent = 'accept' | 'refuse';

export type CaseInput =
  | { readonly kind: 'answer'; readonly participant: string; readonly answer: Consent }
  | { readonly kind: 'approve' }
  | { readonly kind: 'reject' }
  /** Nothing came: only time went by. */
  | { readonly kind: 'time' };

/** What is true when the input is taken, under the locks of both users and of the case. */
export interface Circumstances {
  readonly nowMs: number;
  /** The two may be merged in the world of now. */
  readonly mergeable: boolean;
  /** Neither of the two changed since the merge was requested. */
  readonly unchanged: boolean;
}

/**
 * `counted`: it had its effect. `repeated`, `late` (also: decided before), `unknown` (not asked): it is written down and
 * has none.
 */
export type Verdict = 'counted' | 'repeated' | 'late' | 'unknown';

export interface Step {
  readonly state: MergeCase;
  readonly verdict: Verdict;
}

/**
 * One input after the other; total. Consent and approval are asked at the same time and may come in any order: whichever
 * is the last commits the merge. A consent is given to the joining of two people, so it outlives a login that adds an
 * identity to one of them, and only the rules are asked again; an approval is given to what the approver has seen.
 */
export function step(state: MergeCase, input: CaseInput, at: Circumstances): Step {
  if (!isPending(state)) return { state, verdict: verdictInVain(state, input) };
  if (state.asked.some((one) => isSilent(one, at.nowMs)))
    return {
      state: { ...state, status: 'rejected' },
      verdict: input.kind === 'time' ? 'counted' : verdictInVain(state, input),
    };
  switch (input.kind) {
    case 'answer':
      return takeAnswer(state, input, at);
    case 'approve':
      if (state.approval !== 'awaited') return { state, verdict: verdictInVain(state, input) };
      if (!at.unchanged || !at.mergeable) return { state: { ...state, status: 'stale' }, verdict: 'counted' };
      return { state: settle({ ...state, approval: 'given' }, at), verdict: 'counted' };
    case 'reject':
      return { state: { ...state, status: 'rejected' }, verdict: 'counted' };
    case 'time':
      return { state, verdict: 'counted' };
  }
}

/** As it is requested: with nobody asked, it waits for approval alone. */
export function openCase(
  asked: readonly Omit<Asked, 'answer'>[],
  needsApproval: boolean,
): MergeCase & { readonly status: 'pending_consent' | 'pending_approval' } {
  return {
    status: asked.length > 0 ? 'pending_consent' : 'pending_approval',
    approval: needsApproval ? 'awaited' : 'not_needed',
    asked: asked.map((one) => ({ ...one, answer: null })),
  };
}

export function isPending({ status }: Pick<MergeCase, 'status'>): boolean {
  return status === 'pending_consent' || status === 'pending_approval';
}

/** Whose silence ended the case, or will when somebody looks. */
export function silentParticipants({ asked }: MergeCase, nowMs: number): string[] {
  return asked.filter((one) => isSilent(one, nowMs)).map(({ participant }) => participant);
}

/** The next moment at which silence ends the case; null: no answer is waited for. */
export function dueMs(state: MergeCase): number | null {
  const open = isPending(state) ? state.asked.filter(({ answer }) => answer === null) : [];
  return open.length === 0 ? null : Math.min(...open.map(({ deadlineMs }) => deadlineMs));
}

function takeAnswer(state: MergeCase, input: CaseInput & { kind: 'answer' }, at: Circumstances): Step {
  const { participant, answer } = input;
  const one = state.asked.find((asked) => asked.participant === participant);
  if (one === undefined || one.answer !== null) return { state, verdict: verdictInVain(state, input) };
  const asked = state.asked.map((other) => (other === one ? { ...one, answer } : other));
  if (answer === 'refuse') return { state: { ...state, asked, status: 'rejected' }, verdict: 'counted' };
  return { state: settle({ ...state, asked }, at), verdict: 'counted' };
}

function settle(state: MergeCase, { mergeable }: Circumstances): MergeCase {
  if (state.asked.some(({ answer }) => answer === null)) return { ...state, status: 'pending_consent' };
  if (state.approval === 'awaited') return { ...state, status: 'pending_approval' };
  return { ...state, status: mergeable ? 'merged' : 'stale' };
}

function verdictInVain({ asked, approval }: MergeCase, input: CaseInput): Verdict {
  if (input.kind === 'approve') return approval === 'given' ? 'repeated' : approval === 'awaited' ? 'late' : 'unknown';
  if (input.kind !== 'answer') return 'late';
  const one = asked.find(({ participant }) => participant === input.participant);
  if (one === undefined) return 'unknown';
  return one.answer === null ? 'late' : 'repeated';
}

function isSilent({ answer, deadlineMs }: Asked, nowMs: number): boolean {
  return answer === null && nowMs >= deadlineMs;
}
