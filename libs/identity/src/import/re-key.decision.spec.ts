import type { KnownUser } from '../resolve/resolve.decision.js';
import type { RekeyFacts } from './re-key.decision.js';
import { decideRekey } from './re-key.decision.js';

const user = (id: string, keys: string[], openIds: string[] = []): KnownUser => ({
  id,
  identities: openIds.map((ref) => ({
    appId: ref.split(':')[0] ?? '',
    openId: ref.split(':')[1] ?? '',
    linkedAt: '2026-11-25T08:00:00.000Z',
  })),
  unionKeys: keys.map((key) => ({
    openPlatformId: key.split(':')[0] ?? '',
    unionId: key.split(':')[1] ?? '',
    retired: false,
  })),
});
const decide = (facts: Partial<RekeyFacts>): string => {
  const decision = decideRekey({
    sameAccount: true,
    holder: user('x', ['op1:u1'], ['a1:o1']),
    oldIsRetired: false,
    targetOwner: null,
    newIsRetired: false,
    vacated: false,
    newOpenPlatformId: facts.sameAccount === false ? 'op2' : 'op1',
    separated: false,
    identitiesPerUserMax: 3,
    ...facts,
  });
  return decision.kind === 'refused' ? decision.code : decision.kind;
};
const x = user('x', ['op1:u1'], ['a1:o1']);
const y = user('y', ['op1:u2'], ['a2:o2']);

describe('A line of a re-key table', () => {
  it('gives the new unionId where it is free, was retired, or is being given away', () => {
    expect(decide({})).toBe('rekey');
    expect(decide({ targetOwner: y })).toBe('different_union_ids');
    expect(decide({ targetOwner: y, newIsRetired: true })).toBe('rekey');
    expect(decide({ targetOwner: y, vacated: true })).toBe('rekey');
  });

  it('changes nothing where it was done before, or two unionIds of one user change places', () => {
    expect(decide({ targetOwner: x, oldIsRetired: true })).toBe('unchanged');
    expect(decide({ targetOwner: x, vacated: true })).toBe('unchanged');
    expect(decide({ targetOwner: x, sameAccount: false })).toBe('unchanged');
    expect(decide({ targetOwner: x })).toBe('rekey');
  });

  it('is refused where nobody holds the old unionId, or another has replaced it', () => {
    expect(decide({ holder: null })).toBe('user_not_found');
    expect(decide({ oldIsRetired: true })).toBe('union_id_retired');
    expect(decide({ oldIsRetired: true, targetOwner: y })).toBe('union_id_retired');
  });

  it('joins two users across accounts as a login would, unless something contradicts', () => {
    const across = { sameAccount: false } as const;
    const owner = user('k', ['op2:v1'], ['a9:o9']);
    expect(decide({ ...across })).toBe('rekey');
    expect(decide({ ...across, holder: user('x', ['op1:u1', 'op2:v2']) })).toBe('different_union_ids');
    expect(decide({ ...across, targetOwner: owner })).toBe('merge');
    expect(decide({ ...across, targetOwner: owner, separated: true })).toBe('separated');
    expect(decide({ ...across, targetOwner: user('k', ['op2:v1', 'op1:u9']) })).toBe('different_union_ids');
    expect(decide({ ...across, targetOwner: user('k', ['op2:v1'], ['a1:o7']) })).toBe('second_open_id');
    expect(decide({ ...across, targetOwner: user('k', ['op2:v1'], ['a7:1', 'a8:1', 'a9:1']) })).toBe(
      'too_many_identities',
    );
  });
});
