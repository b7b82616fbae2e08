import type { KnownKey, KnownUser, ResolveFacts } from './resolve.decision.js';
import { decideResolve, isSettled } from './resolve.decision.js';

const key = (unionId: string, openPlatformId = 'op1', retired = false): KnownKey => ({
  openPlatformId,
  unionId,
  retired,
});
const linkedAt = '2026-11-25T08:00:00.000Z';
const user = (id: string, apps: string[], ...unionKeys: KnownKey[]): KnownUser => ({
  id,
  identities: apps.map((appId) => ({ appId, openId: `${id}-in-${appId}`, linkedAt })),
  unionKeys,
});
const decide = (facts: Partial<ResolveFacts>): string => {
  const decision = decideResolve({
    appId: 'a1',
    openPlatformId: 'op1',
    unionId: 'u1',
    unusable: null,
    owner: null,
    keyOwner: null,
    separated: false,
    identitiesPerUserMax: 3,
    pace: null,
    ...facts,
  });
  return 'conflict' in decision ? `${decision.kind}: ${decision.conflict}` : decision.kind;
};

describe('The resolve decision table', () => {
  it('makes a user of an unknown identity, with the union key where one was given', () => {
    expect(decide({ unionId: null })).toBe('create');
    expect(decide({})).toBe('create');
  });

  it('links an unknown identity to the owner of its unionId', () => {
    expect(decide({ keyOwner: user('k', ['a2'], key('u1')) })).toBe('link');
  });

  it('gives a second openId of the same app under one unionId a user of its own', () => {
    expect(decide({ keyOwner: user('k', ['a1'], key('u1')) })).toBe('create_in_conflict: second_open_id');
  });

  it('links no more identities than a person plausibly has', () => {
    expect(decide({ keyOwner: user('k', ['a2', 'a3', 'a4'], key('u1')) })).toBe(
      'create_in_conflict: too_many_identities',
    );
  });

  it('holds for review what comes to one user too fast, by a link or by a merge, until somebody has decided', () => {
    const pace = { since: linkedAt, max: 2, isHeld: false };
    const k = user('k', ['a2', 'a3'], key('u1'));
    expect(decide({ keyOwner: k, pace })).toBe('create_in_conflict: too_many_identities');
    expect(decide({ owner: user('x', ['a1']), keyOwner: k, pace })).toBe('conflict: too_many_identities');
    expect(decide({ keyOwner: k, pace: { ...pace, max: 3 } })).toBe('link');
    const later = { ...pace, since: '2026-11-25T08:00:00.001Z' };
    expect(decide({ keyOwner: k, pace: later })).toBe('link');
    expect(decide({ owner: user('x', ['a1']), keyOwner: user('k', ['a2'], key('u1')), pace: later })).toBe('merge');
    expect(decide({ keyOwner: k, pace: { ...later, isHeld: true } })).toBe('create_in_conflict: too_many_identities');
    expect(decide({ owner: k, keyOwner: k, pace: { ...pace, isHeld: true } })).toBe('unchanged');
  });

  it('changes nothing where nothing new is said', () => {
    expect(decide({ owner: user('x', ['a1']), unionId: null })).toBe('unchanged');
    const x = user('x', ['a1'], key('u1'));
    expect(decide({ owner: x, keyOwner: x })).toBe('unchanged');
    const rekeyed = user('x', ['a1'], key('u1', 'op1', true), key('u2'));
    expect(decide({ owner: rekeyed, keyOwner: rekeyed })).toBe('unchanged');
  });

  it('attaches a late unionId that nobody owns, also beside one of another account', () => {
    expect(decide({ owner: user('x', ['a1']) })).toBe('attach_key');
    expect(decide({ owner: user('x', ['a1'], key('v1', 'op2')) })).toBe('attach_key');
  });

  it('folds a user without a key of this account into the owner of the unionId', () => {
    expect(decide({ owner: user('x', ['a1']), keyOwner: user('k', ['a2'], key('u1')) })).toBe('merge');
  });

  it('moves nothing for a different unionId of the same account, owned or not', () => {
    const owner = user('x', ['a1'], key('u9'));
    expect(decide({ owner })).toBe('conflict: different_union_id');
    expect(decide({ owner, keyOwner: user('k', ['a2'], key('u1')) })).toBe('conflict: different_union_id');
  });

  it('moves nothing where the owner of the unionId has another openId in this app', () => {
    expect(decide({ owner: user('x', ['a1']), keyOwner: user('k', ['a1'], key('u1')) })).toBe(
      'conflict: second_open_id',
    );
  });

  it('moves nothing against a human decision, whatever else is true', () => {
    for (const owner of [user('x', ['a1']), user('x', ['a1'], key('u9'))])
      expect(decide({ owner, keyOwner: user('k', ['a1'], key('u1')), separated: true })).toBe('conflict: separated');
  });

  it('moves nothing where the two hold different unionIds of another account', () => {
    const owner = user('x', ['a1'], key('v1', 'op2'));
    expect(decide({ owner, keyOwner: user('k', ['a2'], key('u1'), key('v2', 'op2')) })).toBe(
      'conflict: different_union_ids_elsewhere',
    );
    expect(decide({ owner, keyOwner: user('k', ['a2'], key('u1'), key('v1', 'op2')) })).toBe('merge');
    expect(decide({ owner, keyOwner: user('k', ['a2'], key('u1'), key('v2', 'op2', true)) })).toBe('merge');
  });

  it('moves nothing where the merged user would hold too many identities', () => {
    const owner = user('x', ['a1', 'a2']);
    expect(decide({ owner, keyOwner: user('k', ['a3'], key('u1')) })).toBe('merge');
    expect(decide({ owner, keyOwner: user('k', ['a3', 'a4'], key('u1')) })).toBe('conflict: too_many_identities');
  });

  it('never links on a unionId that cannot be used', () => {
    const keyOwner = user('k', ['a2'], key('u1'));
    for (const unusable of ['app_unbound', 'former_binding', 'weak_source'] as const) {
      expect(decide({ unusable, keyOwner })).toBe('create');
      expect(decide({ unusable, keyOwner, owner: user('x', ['a1']) })).toBe('unchanged');
    }
    expect(decide({ openPlatformId: null })).toBe('create');
  });
});

describe('The warm path', () => {
  const facts = {
    unionId: 'u1',
    unusable: null,
    openPlatformId: 'op1',
    ownerId: 'x',
    keyOwnerId: 'x',
    pendingUnionId: null,
  };

  it('takes only what the decision table leaves unchanged', () => {
    expect(isSettled(facts)).toBe(true);
    expect(isSettled({ ...facts, unionId: null, keyOwnerId: null })).toBe(true);
    expect(isSettled({ ...facts, ownerId: null })).toBe(false);
    expect(isSettled({ ...facts, keyOwnerId: null })).toBe(false);
    expect(isSettled({ ...facts, keyOwnerId: 'k' })).toBe(false);
  });

  it('takes a finding only once it is kept', () => {
    const unbound = { ...facts, openPlatformId: null, keyOwnerId: null, unusable: 'app_unbound' as const };
    expect(isSettled(unbound)).toBe(false);
    expect(isSettled({ ...unbound, pendingUnionId: 'u1' })).toBe(true);
    expect(isSettled({ ...unbound, pendingUnionId: 'u2' })).toBe(false);
  });
});
