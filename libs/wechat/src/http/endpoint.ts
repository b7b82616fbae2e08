import type { Credential } from '../errors/reaction.js';

/** One call of WeChat's API and what may be done with it. */
export interface Endpoint {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly credential: Credential;
  /**
   * Whether asking twice does no harm. Never for a code exchange: the code is spent even when the answer is lost, and
   * the second try gives 40163.
   */
  readonly repeatable: boolean;
  /** 45011 here counts one person's calls, so it must not stop the others of the app. */
  readonly limitedPerPerson?: true;
}

const read = { repeatable: true } as const;
const exchange = { repeatable: false } as const;

/** The endpoints this library calls. */
export const endpoints = {
  code2session: {
    path: '/sns/jscode2session',
    method: 'GET',
    credential: 'app_secret',
    limitedPerPerson: true,
    ...exchange,
  },
  oauthAccessToken: { path: '/sns/oauth2/access_token', method: 'GET', credential: 'app_secret', ...exchange },
  snsUserInfo: { path: '/sns/userinfo', method: 'GET', credential: 'user_token', ...read },
  stableToken: { path: '/cgi-bin/stable_token', method: 'POST', credential: 'app_secret', ...read },
  /** A forced refresh kills the token before it and is counted: 20 a day. */
  forcedStableToken: { path: '/cgi-bin/stable_token', method: 'POST', credential: 'app_secret', ...exchange },
  userInfo: { path: '/cgi-bin/user/info', method: 'GET', credential: 'app_token', ...read },
  userInfoBatch: { path: '/cgi-bin/user/info/batchget', method: 'POST', credential: 'app_token', ...read },
  userGet: { path: '/cgi-bin/user/get', method: 'GET', credential: 'app_token', ...read },
  changeOpenId: { path: '/cgi-bin/changeopenid', method: 'POST', credential: 'app_token', ...read },
  getPaidUnionId: { path: '/wxa/getpaidunionid', method: 'GET', credential: 'app_token', ...read },
  checkSession: { path: '/wxa/checksession', method: 'GET', credential: 'app_token', ...read },
  quotaGet: { path: '/cgi-bin/openapi/quota/get', method: 'POST', credential: 'app_token', ...read },
} as const satisfies Record<string, Endpoint>;
