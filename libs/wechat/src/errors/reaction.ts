/**
 * What an errcode wants from whoever called. WeChat answers HTTP 200 whatever happened, so this table is the only place
 * that knows what a number means.
 *
 * - `retry_later`: WeChat is busy or unreachable; the same call may work in a moment.
 * - `refresh_app_token`: the app's access token is dead; fetch a new one once.
 * - `user_token_dead`: the person's OAuth token is dead; the app's own token is not the matter.
 * - `new_code`: the login code is unknown, expired, used, or another app's; the client logs in again.
 * - `foreign_identity`: the openId does not belong to this app.
 * - `blocked_user`: WeChat blocks this person as high-risk.
 * - `throttled`: a quota is used up.
 * - `configuration`: an operator has to act at WeChat or in the registry.
 * - `our_bug`: the call itself is wrong, or the errcode is not in this table yet.
 * - `session_stale`: the session_key is not the current one.
 * - `no_such_order`: the payment is unknown or older than five minutes.
 */
export type Reaction =
  | 'retry_later'
  | 'refresh_app_token'
  | 'user_token_dead'
  | 'new_code'
  | 'foreign_identity'
  | 'blocked_user'
  | 'throttled'
  | 'configuration'
  | 'our_bug'
  | 'session_stale'
  | 'no_such_order';

/**
 * Which credential an endpoint takes. The same errcode means different things with different credentials: 40001 is a
 * wrong secret on the token endpoints, a dead app token on /cgi-bin and /wxa, a dead user token on /sns.
 */
export type Credential = 'app_secret' | 'app_token' | 'user_token';

const table: Readonly<Record<Exclude<Reaction, 'refresh_app_token' | 'user_token_dead'>, readonly number[]>> = {
  // -1: system busy; 268487002: user/get's own way of saying so.
  retry_later: [-1, 268487002],
  // 40029: invalid, expired or another app's; 40163: used; 41008: missing.
  new_code: [40029, 40163, 41008],
  foreign_identity: [40003],
  blocked_user: [40226],
  // 48006: clear_quota itself is used up for the month.
  throttled: [45009, 45011, 48006],
  configuration: [
    40013, // invalid appid
    40125, // invalid secret
    40164, // the calling address is not on the app's list; the text carries it
    40243, // secret frozen
    41002, // appid missing
    41004, // secret missing
    48001, // API not granted to this account
    50002, // account limited
    50004, // account banned
    50007, // account frozen
    61004, // third-party platform: address not registered
    61007, // third-party platform: API not granted
    61016, // third-party platform: API not granted
    61024, // third-party platform: the platform must fetch this token
    63178, // changeopenid: no approved migration from this account
    89000, // Open Platform: already bound
    89001, // Open Platform: not the same entity
    89002, // Open Platform: the app is not bound to one
    89003, // Open Platform: not created through this API
    89004, // Open Platform: over the limit of bound apps
    89501, // an administrator must confirm the address
    89503, // an administrator must confirm the address
    89506, // an administrator refused the address, for 24 hours
    89507, // an administrator refused the address, for one hour
  ],
  our_bug: [
    40002, // wrong grant_type
    40032, // more than 100 in a list
    40097, // wrong argument
    41001, // access_token missing
    43002, // POST required
    47001, // body is not JSON
    63182, // empty list
    63183, // changeopenid: wrong list
    76021, // quota: unknown path
    76022, // quota: path of another kind of account
    87008, // checksession: wrong signature method
  ],
  session_stale: [87007, 87009],
  no_such_order: [89300],
};

const reactionOf: ReadonlyMap<number, Reaction> = new Map(
  Object.entries(table).flatMap(([reaction, errcodes]) => errcodes.map((errcode) => [errcode, reaction as Reaction])),
);

/** The list WxJava and wechatpy refresh on. */
const deadTokens: ReadonlySet<number> = new Set([40001, 40014, 42001]);
const deadUserTokens: ReadonlySet<number> = new Set([...deadTokens, 42002, 42007, 40030]);

/** What to do about an errcode that an endpoint with this credential answered. */
export function reactionTo(errcode: number, credential: Credential): Reaction {
  if (credential === 'app_token' && deadTokens.has(errcode)) return 'refresh_app_token';
  if (credential === 'user_token' && deadUserTokens.has(errcode)) return 'user_token_dead';
  if (credential === 'app_secret' && deadTokens.has(errcode)) return 'configuration';
  if (deadUserTokens.has(errcode)) return 'our_bug';
  // A number nobody has met wants a person to read it and a row in this table; calling again would only hide it.
  return reactionOf.get(errcode) ?? 'our_bug';
}
