import fc from 'fast-check';
import * as to from './commands.js';
import { decisions } from './decide.js';

/** Sequences of commands: drawn at random, and those that once showed a fault. */

const index = fc.nat({ max: 999 });
const pair = fc.tuple(index, index);

const resolves = fc.tuple(index, fc.option(index, { freq: 4 })).map((args) => to.resolveSeen(...args));
const merges = fc
  .record({
    to: index,
    from: fc.array(index, { minLength: 1, maxLength: 3 }),
    allowDifferent: fc.boolean(),
    all: fc.boolean(),
  })
  .map((wish) => to.mergeUsers(wish));
const reverts = index.map((which) => to.revertMerge(which));
const splits = fc
  .tuple(index, fc.array(index, { minLength: 1, maxLength: 2 }), fc.boolean())
  .map((args) => to.splitUser(...args));
const links = pair.map((args) => to.linkByHand(...args));
const unlinks = index.map((what) => to.unlinkByHand(what));
const separations = pair.map((args) => to.separateUsers(...args));
const removals = index.map((which) => to.removeSeparation(which));
const erasures = index.map((who) => to.eraseUser(who));
const conflictDecisions = fc.tuple(index, fc.constantFrom(...decisions)).map((args) => to.decideConflict(...args));

const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

/** As often each as makes deep states likely. */
export const sequences = fc.commands(
  [
    ...times(9, resolves),
    ...times(4, merges),
    ...times(3, reverts),
    ...times(2, splits),
    links,
    unlinks,
    separations,
    removals,
    erasures,
    ...times(3, conflictDecisions),
  ],
  { maxCommands: 30, size: 'max' },
);

/** By what was wrong in the service; the seed is the one it was found with. */
export const kept: ReadonlyMap<string, readonly to.Command[]> = new Map([
  [
    'a unionId goes back by an undone merge while its opponent is elsewhere (324225)',
    [
      to.resolveSeen(229, null),
      to.resolveSeen(116, 924),
      to.resolveSeen(435, 181),
      to.mergeUsers({ to: 417, from: [229], allowDifferent: false, all: false }),
      to.resolveSeen(897, 417),
      to.resolveSeen(908, 66),
      to.revertMerge(907),
      to.resolveSeen(572, 804),
      to.mergeUsers({ to: 446, from: [21, 929, 732], allowDifferent: true, all: true }),
      to.resolveSeen(571, 190),
    ],
  ],
  [
    'a person is erased against whom a unionId is held that is also held against another (415259)',
    [
      to.resolveSeen(161, 181),
      to.resolveSeen(5, 0),
      to.resolveSeen(751, 164),
      to.resolveSeen(305, 740),
      to.eraseUser(0),
    ],
  ],
  [
    'a person is erased who was given the unionId that another was seen with (496067)',
    [to.resolveSeen(215, 0), to.resolveSeen(255, 677), to.resolveSeen(0, 755), to.eraseUser(339)],
  ],
  [
    'an identity is moved by a decision to somebody who holds as many as may be',
    [
      to.resolveSeen(0, 0),
      ...[2, 4, 6, 8, 5].map((what) => to.linkByHand(what, 0)),
      to.resolveSeen(1, 0),
      to.linkByHand(3, 1),
      to.decideConflict(0, 'move_identity'),
    ],
  ],
]);
