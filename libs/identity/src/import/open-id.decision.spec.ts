import type { OpenIdDecision, OpenIdFacts } from './open-id.decision.js';
import { decideOpenId } from './open-id.decision.js';

type Party = NonNullable<OpenIdFacts['holder']>;
const party = (id: string, keys: string[], createdAt = '2024-01-01T00:00:00.000Z', identities = 1): Party => ({
  id,
  createdAt,
  identities: Array.from({ length: identities }, (_, n) => ({
    appId: `a${n}`,
    openId: id,
    linkedAt: '2026-11-25T08:00:00.000Z',
  })),
  unionKeys: keys.map((key) => ({
    openPlatformId: key.split(':')[0] ?? '',
    unionId: key.split(':')[1] ?? '',
    retired: false,
  })),
});
const decide = (facts: Partial<OpenIdFacts>): OpenIdDecision =>
  decideOpenId({
    holder: party('x', []),
    owner: null,
    replacedBefore: null,
    openPlatformId: 'op1',
    separated: false,
    identitiesPerUserMax: 3,
    ...facts,
  });
const conflictOf = (facts: Partial<OpenIdFacts>): unknown[] => {
  const decision = decide(facts);
  return decision.kind === 'refused' ? [decision.code, decision.conflict] : [decision.kind];
};

describe('A line of replaced openIds', () => {
  it('puts the new openId in place of the old, or lets the old one go where the user has both', () => {
    expect(decide({})).toEqual({ kind: 'replace' });
    expect(decide({ owner: party('x', []) })).toEqual({ kind: 'retire' });
  });

  it('changes nothing where it was done before, and is refused where the old openId is unknown or led elsewhere', () => {
    expect(decide({ holder: null, replacedBefore: 'by_the_new' })).toEqual({ kind: 'unchanged' });
    expect(decide({ holder: null, replacedBefore: 'by_another' })).toMatchObject({ code: 'open_id_retired' });
    expect(decide({ holder: null })).toMatchObject({ code: 'identity_not_found', conflict: null });
  });

  it('joins two users: whoever has a unionId survives, between two alike the older', () => {
    const older = '2020-01-01T00:00:00.000Z';
    expect(decide({ owner: party('y', ['op1:u1'], older) })).toEqual({ kind: 'merge', survivor: 'owner' });
    expect(decide({ holder: party('x', ['op1:u1']), owner: party('y', [], older) })).toMatchObject({
      survivor: 'holder',
    });
    expect(decide({ owner: party('y', [], older) })).toMatchObject({ survivor: 'owner' });
    expect(decide({ holder: party('x', [], older), owner: party('y', []) })).toMatchObject({ survivor: 'holder' });
    expect(decide({ holder: party('x', ['op1:u1']), owner: party('y', ['op1:u1', 'op2:v1']) })).toMatchObject({
      kind: 'merge',
    });
  });

  it('is refused, and kept as a conflict, where something contradicts', () => {
    const holder = party('x', ['op1:u1', 'op2:v1']);
    expect(conflictOf({ holder, owner: party('y', ['op1:u2']) })).toEqual([
      'different_union_ids',
      'different_union_id',
    ]);
    const elsewhere = party('y', ['op2:v2']);
    expect(conflictOf({ holder, owner: elsewhere })).toEqual(['different_union_ids', 'different_union_ids_elsewhere']);
    expect(conflictOf({ owner: party('y', []), separated: true })).toEqual(['separated', 'separated']);
    const many = party('y', [], undefined, 3);
    expect(conflictOf({ owner: many })).toEqual(['too_many_identities', 'too_many_identities']);
  });
});
