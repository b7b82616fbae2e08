import type { Answer } from './book.js';
import type { Change } from './change.js';

/**
 * What a participant must answer because of these steps. A merge is told on its target's key, but our part of it is done
 * when the *source's* half was applied; both halves carry the same time, so the answer waits until the newest state of the
 * source is not older than that. A step that is not new asks too: an answer that was given is not given again.
 */
export function answersTo(changes: readonly Change[], kinds: ReadonlySet<string>): readonly Answer[] {
  return changes.flatMap(({ event, at, userId }): Answer[] => {
    const { mergeId, sourceUserId, erasureId } = fields(event.data);
    if (event.type === 'identity.UserErased.v1' && erasureId !== null && kinds.has('erasure')) {
      return [{ kind: 'erasure', id: erasureId, userId, at }];
    }
    if (mergeId === null || sourceUserId === null || !kinds.has('merge')) return [];
    if (event.type === 'identity.UserMerged.v1') return [{ kind: 'merge', id: mergeId, userId: sourceUserId, at }];
    if (event.type === 'identity.MergeReverted.v1') return [{ kind: 'revert', id: mergeId, userId: sourceUserId, at }];
    return [];
  });
}

function fields(data: unknown): Record<'mergeId' | 'sourceUserId' | 'erasureId', string | null> {
  const found = new Map<string, unknown>(typeof data === 'object' && data !== null ? Object.entries(data) : []);
  const text = (name: string): string | null => {
    const value = found.get(name);
    return typeof value === 'string' ? value : null;
  };
  return { mergeId: text('mergeId'), sourceUserId: text('sourceUserId'), erasureId: text('erasureId') };
}
