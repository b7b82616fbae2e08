import type { Answer, Json } from '../harness/http.js';

/** What callers were told of their changes, counted: the events have to say the same, no more and no less. */
export class Said {
  /** Every user id ever returned. */
  readonly ids = new Set<string>();
  readonly mergeIds = new Set<string>();
  readonly conflictIds = new Set<string>();
  readonly pendingIds = new Set<string>();
  readonly erasureIds = new Set<string>();
  readonly separated: string[][] = [];
  readonly faults: unknown[] = [];
  private readonly counts = new Map<string, number>();
  private linked = 0;
  private unlinked = 0;
  private split = 0;

  /** Of each event type as many as there were changes of its kind; a replaced unionId counts as a unionId. */
  expected(): Record<string, number> {
    const born = this.ids.size;
    return Object.fromEntries(
      [
        ...this.counts,
        ['UserLinked', born + this.linked] as const,
        ['UserErased', this.erasureIds.size] as const,
      ].filter(([, count]) => count > 0),
    );
  }

  /** G4, as far as answers tell it: what became somebody's less what was taken away. Whoever was born held one. */
  identitiesLeft(erased: number): number {
    return this.ids.size - this.split + this.linked - this.unlinked - erased;
  }

  hear(what: string, { status, body }: Answer<Json>): void {
    if (status >= 500) this.faults.push({ what, status, body });
    if (status >= 300) return;
    switch (what) {
      case 'login':
        this.hearLogin(body);
        break;
      case 'merge':
        for (const { outcome, mergeId } of body.results) this.hearMerge(outcome, mergeId);
        break;
      case 'approve':
        this.hearMerge('merged', body.id);
        break;
      case 'revert':
        if (body.outcome === 'reverted') this.count('MergeReverted', 'UserRestored');
        break;
      case 'split':
        this.ids.add(body.id);
        this.split += 1;
        this.count('UserSplit');
        break;
      case 'link':
        if (status === 201) this.linked += 1;
        break;
      case 'unlink':
        this.unlinked += 1;
        this.count('UserUnlinked');
        break;
      case 'decide':
        this.hearDecision(body.decision);
        break;
      case 'separate':
        this.separated.push(body.userIds);
        break;
      case 'erase':
        this.erasureIds.add(body.erasureId);
        break;
    }
  }

  private hearLogin({ outcome, user, previousUserId, conflictId }: Json): void {
    this.ids.add(user.id);
    if (previousUserId !== null) this.ids.add(previousUserId);
    if (conflictId !== null) this.conflictIds.add(conflictId);
    if (outcome === 'linked') this.linked += 1;
    if (outcome === 'keyed') this.count('UserKeyed');
    if (outcome === 'merged') this.count('UserMerged', 'UserRedirected');
  }

  private hearMerge(outcome: string, mergeId: string): void {
    if (outcome === 'pending_approval') this.pendingIds.add(mergeId);
    if (outcome !== 'merged') return;
    this.mergeIds.add(mergeId);
    this.count('UserMerged', 'UserRedirected');
  }

  private hearDecision(decision: string): void {
    if (decision === 'merge') this.count('UserMerged', 'UserRedirected');
    if (decision === 'rekey') this.count('UserKeyed');
    if (decision !== 'move_identity') return;
    // It leaves one and is linked to the other: conserved.
    this.count('UserUnlinked');
    this.linked += 1;
    this.unlinked += 1;
  }

  private count(...types: string[]): void {
    for (const type of types) this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
  }
}
