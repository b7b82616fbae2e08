import { diagnoseApp, diagnoseIdentity, type SeenApp, type SeenIdentity } from './diagnosis.decision.js';

const bound: SeenApp = {
  openPlatformId: 'op1',
  boundSince: new Date('2024-01-01'),
  sandbox: false,
  identities: 100,
  withUnionId: 90,
};
const silent: SeenIdentity = {
  linkedAt: new Date('2024-06-01'),
  source: 'mini_program_login',
  pendingReason: null,
  hasKey: false,
  hasRetiredKey: false,
  subscribed: null,
  hasForeignPrefix: false,
};
const unbound = { ...bound, openPlatformId: null, boundSince: null, withUnionId: 0 };
const nobody = { ...bound, withUnionId: 0 };

describe('why a person has no unionId, by the rows of the table of causes', () => {
  it.each<[string, Partial<SeenIdentity>, SeenApp, string[]]>([
    ['1, 2: the app is bound to nothing', {}, unbound, ['app_unbound']],
    ['1, 2: the registry says bound, and nobody has one', {}, nobody, ['suspected_unbound']],
    ['1, 2: too few people to say so', {}, { ...nobody, identities: 2 }, ['unexplained']],
    ['4: the openId of another app', { hasForeignPrefix: true }, bound, ['foreign_prefix']],
    ['5, 6: does not follow', { subscribed: false }, bound, ['not_following']],
    ['6: unfollowed, and keeps what was known', { subscribed: false, hasKey: true }, bound, []],
    ['8: snsapi_base', { source: 'oauth_base' }, bound, ['base_scope']],
    ['14: a test account', {}, { ...bound, sandbox: true }, ['sandbox']],
    ['16: known before the app was bound', { linkedAt: new Date('2023-12-31') }, bound, ['before_binding']],
    ['17: follows, and others have one', { subscribed: true }, bound, ['unexplained']],
    ['18: the app has moved', { hasKey: true, hasRetiredKey: true }, bound, ['retired_union_id']],
    ['18: another unionId came', { hasKey: true, pendingReason: 'different_union_id' }, bound, ['different_union_id']],
    ['none: all is well', { hasKey: true, subscribed: true }, bound, []],
  ])('row %s', (_row, identity, app, codes) => {
    expect(diagnoseIdentity({ ...silent, ...identity }, app)).toEqual(codes);
  });

  it('names every cause, the most telling first and none twice', () => {
    const many = { pendingReason: 'app_unbound', hasForeignPrefix: true, subscribed: false, source: 'oauth_base' };
    expect(diagnoseIdentity({ ...silent, ...many }, unbound)).toEqual(['app_unbound', 'foreign_prefix']);
    const early = { ...silent, ...many, pendingReason: null, linkedAt: new Date('2023-12-31') };
    expect(diagnoseIdentity(early, { ...bound, sandbox: true })).toEqual([
      'foreign_prefix',
      'sandbox',
      'not_following',
      'base_scope',
      'before_binding',
    ]);
  });
});

const told = (app: SeenApp, suspicions: string[] = [], pending: Record<string, number> = {}): string[] =>
  diagnoseApp({ ...app, suspicions, pending });

describe('what an app is told', () => {
  it.each<[string, string[], string[]]>([
    ['1: bound to nothing', told(unbound), ['app_unbound']],
    ['1: nobody has a unionId', told(nobody), ['suspected_unbound']],
    ['1: too few people to say so', told({ ...nobody, identities: 2 }), []],
    ['1: suspected, until one came', told(bound, ['suspected_unbound']), []],
    [
      '3: its people and those of its siblings never meet',
      told(bound, ['union_ids_never_meet']),
      ['union_ids_never_meet'],
    ],
    ['14: a test account', told({ ...bound, sandbox: true }), ['sandbox']],
    [
      '18: many others came',
      told(bound, ['many_changed_union_ids'], { different_union_id: 3 }),
      ['many_changed_union_ids', 'different_union_id'],
    ],
    ['none: all is well', told(bound), []],
  ])('row %s', (_row, codes, expected) => {
    expect(codes).toEqual(expected);
  });
});
