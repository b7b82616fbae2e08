import type { Acknowledgement, MergeProposedData } from '#events';
import type { FollowerStore } from './book.js';
import type { Consent, Handlers } from './handlers.js';
import type { Log } from './log.js';

export interface ProposalOptions<Tx> {
  readonly store: FollowerStore<Tx>;
  readonly ask: NonNullable<Handlers<Tx>['onMergeProposed']>;
  /** Our name; a proposal that does not name us is not for us. */
  readonly participant: string;
  readonly give: (answer: Acknowledgement) => Promise<void>;
  readonly log: Log;
}

/**
 * Asks the handler and gives its answer at once. Nothing of it is kept: a proposal that comes again is asked again, and of
 * two answers the identity service counts the first. So a kill in between loses no answer and needs no table. Throws where
 * the answer could not be given: the proposal is to be handed over again.
 */
export async function answerProposal<Tx>(proposal: MergeProposedData, options: ProposalOptions<Tx>): Promise<void> {
  const { store, ask, participant, give, log } = options;
  if (!proposal.participants.includes(participant)) return;
  // Read again from the start of the retention, most of them are decided; the handler is not to act on those.
  if (Date.parse(proposal.deadlineAt) <= Date.now()) return;
  const { mergeId: id } = proposal;
  let consent: Consent;
  try {
    consent = await store.transaction(async ({ tx }) => ask(proposal, tx));
  } catch (error) {
    // Holding up everything behind it would be worse than the silence, which refuses.
    log('error', 'a proposed merge is not answered, which refuses it', { mergeId: id, error });
    return;
  }
  const about = { kind: 'merge', id, participant } as const;
  await give(
    consent === 'accept' ? { ...about, status: 'accept' } : { ...about, status: 'refuse', detail: consent.refuse },
  );
}
