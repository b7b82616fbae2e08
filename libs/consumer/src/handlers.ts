import type { IdentityRef, MergeProposedData } from '#events';
import type { Change } from './change.js';

type Done = void | Promise<void>;

/**
 * What your service does about people. Every handler runs inside one transaction of your own database, given as `tx`,
 * together with the follower's own bookkeeping: write through `tx` and the effect happens exactly once. Throwing undoes
 * all of it; the user is then parked and tried again. What does not go through `tx` may happen more than once.
 *
 * What they are told is worked out from the states of the users, not from the kind of event, so it is right whichever
 * half of a merge comes first and whatever was missed in between.
 */
export interface Handlers<Tx> {
  /** An identity nobody had before, as far as we know, is this user's. */
  onLinked?(userId: string, identity: IdentityRef, tx: Tx): Done;
  /** `from` now answers with `into`: everything you keep under `from` goes to `into`. Once per redirect. */
  onMerged?(from: string, into: string, tx: Tx): Done;
  /**
   * `source` is a user of its own again; what you keep for it is with `target`. What was earned under
   * `returnedIdentities` goes back to `source`.
   */
  onReverted?(source: string, target: string, returnedIdentities: readonly IdentityRef[], tx: Tx): Done;
  /**
   * These identities left one user for another, by a split or a correction: whatever you still keep for `from` under
   * them goes to `to`. May be told again, or ahead of a merge that explains it, when there may be something left to move.
   */
  onMoved?(from: string, to: string, identities: readonly IdentityRef[], tx: Tx): Done;
  /** The person's data must be destroyed: delete everything you keep under this id. */
  onErased?(userId: string, tx: Tx): Done;
  /** Every step that was applied, after the handlers above. */
  onUser?(change: Change, tx: Tx): Done;
  /**
   * Somebody asks to merge two users by hand, and waits for your consent until `proposal.deadlineAt`; for participants that
   * are registered with `consents: ["merge"]`. May be asked again about the same merge: the first answer counts. Throwing is
   * no answer, and no answer is a refusal. That the merge happened is told by `onMerged`.
   */
  onMergeProposed?(proposal: MergeProposedData, tx: Tx): Consent | Promise<Consent>;
}

export type Consent = 'accept' | { readonly refuse: string };
