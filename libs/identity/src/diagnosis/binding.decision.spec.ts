import { suspectBinding, type SuspectedCounts } from './binding.decision.js';

describe('What speaks against the declared binding of an app', () => {
  const healthy: SuspectedCounts = {
    telling: 100,
    withUnionId: 100,
    siblingsWithUnionId: 100,
    meetsSiblings: true,
    changed: 0,
    changedLately: 0,
    foreign: 0,
    announced: [],
  };
  const announced = ['many_changed_union_ids'];
  const cases: readonly [string, Partial<SuspectedCounts>, readonly string[]][] = [
    ['nothing where people have unionIds and meet', {}, []],
    ['nobody with a unionId', { withUnionId: 0, telling: 3, meetsSiblings: false }, ['suspected_unbound']],
    ['nothing while too few came', { withUnionId: 0, telling: 2, meetsSiblings: false }, []],
    ['nothing where somebody has one', { withUnionId: 1, meetsSiblings: false }, []],
    ['unionIds that never meet', { withUnionId: 30, meetsSiblings: false }, ['union_ids_never_meet']],
    ['nothing while this app is small', { withUnionId: 29, meetsSiblings: false }, []],
    ['nothing while its siblings are', { siblingsWithUnionId: 29, meetsSiblings: false }, []],
    ['many changed at once', { changed: 3, changedLately: 3 }, ['many_changed_union_ids']],
    ['nothing in a few', { changed: 2, changedLately: 2 }, []],
    ['nothing in many over years', { changed: 9, changedLately: 1 }, []],
    ['a wave until it is decided', { changed: 9, changedLately: 0, announced }, ['many_changed_union_ids']],
    ['nothing of a wave that was decided', { changed: 2, changedLately: 0, announced }, []],
    ['openIds of another app', { foreign: 3 }, ['foreign_open_ids']],
    ['nothing in one strange openId', { foreign: 1 }, []],
  ];

  it.each(cases)('is %s', (_what, counts, findings) => {
    expect(suspectBinding({ ...healthy, ...counts }).map(({ finding }) => finding)).toEqual(findings);
  });
});
