import { reactionTo } from './reaction.js';
import type { Credential, Reaction } from './reaction.js';

const anyCredential: readonly Credential[] = ['app_secret', 'app_token', 'user_token'];

const rows: readonly (readonly [number, Reaction])[] = [
  [-1, 'retry_later'],
  [268487002, 'retry_later'],
  [40029, 'new_code'],
  [40163, 'new_code'],
  [41008, 'new_code'],
  [40003, 'foreign_identity'],
  [40226, 'blocked_user'],
  [45009, 'throttled'],
  [45011, 'throttled'],
  [48006, 'throttled'],
  [40013, 'configuration'],
  [40125, 'configuration'],
  [40164, 'configuration'],
  [40243, 'configuration'],
  [41002, 'configuration'],
  [41004, 'configuration'],
  [48001, 'configuration'],
  [50002, 'configuration'],
  [50004, 'configuration'],
  [50007, 'configuration'],
  [61004, 'configuration'],
  [61007, 'configuration'],
  [61016, 'configuration'],
  [61024, 'configuration'],
  [63178, 'configuration'],
  [89000, 'configuration'],
  [89001, 'configuration'],
  [89002, 'configuration'],
  [89003, 'configuration'],
  [89004, 'configuration'],
  [89501, 'configuration'],
  [89503, 'configuration'],
  [89506, 'configuration'],
  [89507, 'configuration'],
  [40002, 'our_bug'],
  [40032, 'our_bug'],
  [40097, 'our_bug'],
  [41001, 'our_bug'],
  [43002, 'our_bug'],
  [47001, 'our_bug'],
  [63182, 'our_bug'],
  [63183, 'our_bug'],
  [76021, 'our_bug'],
  [76022, 'our_bug'],
  [87008, 'our_bug'],
  [87007, 'session_stale'],
  [87009, 'session_stale'],
  [89300, 'no_such_order'],
];

describe('the reaction to an errcode', () => {
  it.each(rows)('%d wants %s whatever the credential', (errcode, reaction) => {
    for (const credential of anyCredential) expect(reactionTo(errcode, credential)).toBe(reaction);
  });

  it.each([40001, 40014, 42001])('%d is told apart by the credential of the endpoint', (errcode) => {
    expect(reactionTo(errcode, 'app_token')).toBe('refresh_app_token');
    expect(reactionTo(errcode, 'user_token')).toBe('user_token_dead');
    expect(reactionTo(errcode, 'app_secret')).toBe('configuration');
  });

  it.each([42002, 42007, 40030])('%d is about a user token and never refreshes the app token', (errcode) => {
    expect(reactionTo(errcode, 'user_token')).toBe('user_token_dead');
    expect(reactionTo(errcode, 'app_token')).toBe('our_bug');
  });

  it('counts a number the table does not know as ours to look into', () => {
    expect(reactionTo(99_999, 'app_token')).toBe('our_bug');
  });
});
