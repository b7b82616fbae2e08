import { enveloped, seal, type Sent, signedQuery } from './rubbish.js';

/** WeChat's published samples of pushes, for a person and an app of ours. */

const receiver = 'gh_0123456789ab';
/** Who sends events about authorisations; the person is in another field. */
export const platform = 'oAbCdEplatformplatformplatfo';

export const follows = (openId: string, event: string, createTime: number, key: string): string =>
  `<xml><ToUserName><![CDATA[${receiver}]]></ToUserName>
<FromUserName><![CDATA[${openId}]]></FromUserName>
<CreateTime>${createTime}</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[${event}]]></Event>
<EventKey><![CDATA[${key}]]></EventKey>
<Ticket><![CDATA[gQH_example]]></Ticket></xml>`;

export function authorisation(AppID: string, OpenID: string, Event: string, more: object = {}): string {
  const head = { ToUserName: receiver, FromUserName: platform, CreateTime: 1700000001, MsgType: 'event' };
  return JSON.stringify({ ...head, Event, OpenID, AppID, ...more });
}

const sealed = (appId: string, body: string, wrap: (encrypt: string) => string): Sent => {
  const encrypt = seal(body, appId);
  return { ...enveloped(encrypt), body: wrap(encrypt) };
};

/** In which each of them may come. */
export const envelopes: readonly (readonly [mode: string, (body: string, appId: string) => Sent])[] = [
  ['plain', (body) => ({ query: signedQuery(), body })],
  ['safe', (body, appId) => sealed(appId, body, (Encrypt) => JSON.stringify({ ToUserName: receiver, Encrypt }))],
  [
    'safe',
    (body, appId) =>
      sealed(
        appId,
        body,
        (encrypt) =>
          `<xml><ToUserName><![CDATA[${receiver}]]></ToUserName><Encrypt><![CDATA[${encrypt}]]></Encrypt></xml>`,
      ),
  ],
];
