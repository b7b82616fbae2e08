import { Agent, request } from 'node:http';
import { encryptPush, signPush } from '#wechat';

/** WeChat on a busy day: posts at a steady rate whatever the answers take, and repeats what was not answered. */
export interface PushLoad {
  readonly appId: string;
  readonly token: string;
  readonly encodingAesKey: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** WeChat waits five seconds; a short form on a busy machine proves more with more patience. */
  readonly answerWithinMs: number;
  /** The address of some replica, as a load balancer would choose. */
  readonly replica: (turn: number) => string;
}

export interface PushLoadResult {
  readonly openIds: readonly string[];
  /** What was never answered 200 `success`, repeats included. */
  readonly unanswered: number;
  readonly repeats: number;
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
}

/** What is not answered in time is posted again, up to three times (WeChat facts 3.2). */
const triesMax = 4;
const tickMs = 10;
const socketsMax = 256;

export async function pushLoad(options: PushLoad): Promise<PushLoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: socketsMax });
  const total = options.perSecond * options.seconds;
  const latencies: number[] = [];
  const sending: Promise<boolean>[] = [];
  const openIds = Array.from({ length: total }, (_, index) => `oLoad${String(index).padStart(8, '0')}`);
  let turn = 0;
  let repeats = 0;
  const deliver = async (openId: string): Promise<boolean> => {
    for (let tried = 1; tried <= triesMax; tried += 1) {
      const started = performance.now();
      const answered = await post(agent, options.replica((turn += 1)), options, openId);
      if (answered) {
        latencies.push(performance.now() - started);
        return true;
      }
      repeats += 1;
    }
    return false;
  };
  const began = performance.now();
  while (sending.length < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - began) / 1000) * options.perSecond));
    while (sending.length < due) sending.push(deliver(openIds[sending.length] ?? ''));
    await new Promise((tick) => setTimeout(tick, tickMs));
  }
  const delivered = await Promise.all(sending);
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  latencies.sort((one, other) => one - other);
  return {
    openIds,
    unanswered: delivered.filter((isDelivered) => !isDelivered).length,
    repeats,
    perSecond: total / seconds,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    slowestMs: latencies.at(-1) ?? 0,
  };
}

/** Signed anew each time, as WeChat's repeats are; the message inside is the same. */
function post(agent: Agent, url: string, options: PushLoad, openId: string): Promise<boolean> {
  const { appId, token, encodingAesKey, answerWithinMs } = options;
  const encrypt = encryptPush(messageOf(appId, openId), { appId, encodingAesKey });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = String(Math.floor(Math.random() * 1e9));
  const query = new URLSearchParams({
    signature: signPush(token, timestamp, nonce),
    timestamp,
    nonce,
    encrypt_type: 'aes',
    msg_signature: signPush(token, timestamp, nonce, encrypt),
  });
  const body = JSON.stringify({ ToUserName: 'gh_0123456789ab', Encrypt: encrypt });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const address = `${url}/v1/wechat/push/${appId}?${query.toString()}`;
  return new Promise((resolve) => {
    const sent = request(address, { method: 'POST', agent, headers, timeout: answerWithinMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve(response.statusCode === 200 && text === 'success'));
      response.on('error', () => resolve(false));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
    sent.end(body);
  });
}

const sentAtSeconds = Math.floor(Date.now() / 1000);

function messageOf(appId: string, openId: string): string {
  return JSON.stringify({
    ToUserName: 'gh_0123456789ab',
    FromUserName: 'oPlatform',
    CreateTime: sentAtSeconds,
    MsgType: 'event',
    Event: 'user_authorization_revoke',
    OpenID: openId,
    AppID: appId,
    RevokeInfo: '6',
  });
}
