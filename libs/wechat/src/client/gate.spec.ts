import { WechatError } from '../errors/wechat-error.js';
import type { Reaction } from '../errors/reaction.js';
import { Gate } from './gate.js';
import type { GatePass } from './gate.js';

const pass: GatePass = {
  appId: 'wxapp',
  path: '/cgi-bin/user/info',
  fingerprint: 'secret-1',
  limitedPerPerson: false,
  personal: false,
};
const minuteMs = 60_000;
/** Half past a minute, at 23:50:30 in Beijing. */
const start = Date.parse('2026-11-23T15:50:30.000Z');

let now: number;
let gate: Gate;

beforeEach(() => {
  now = start;
  gate = new Gate({
    failuresMax: 3,
    openMs: 5000,
    configurationPauseMs: 10_000,
    quotaProbeMs: 10 * minuteMs,
    now: () => now,
  });
});

function refusal(reaction: Reaction, errcode: number | null, detail = 'refused'): WechatError {
  return new WechatError({ reaction, errcode, rid: 'r1', endpoint: pass.path, appId: pass.appId, detail, sent: true });
}

function fail(reaction: Reaction, errcode: number | null, detail?: string, through: GatePass = pass): void {
  gate.failed(through, refusal(reaction, errcode, detail));
}

function isOpen(through: GatePass = pass): boolean {
  try {
    gate.enter(through);
    return true;
  } catch (error) {
    if (error instanceof WechatError && !error.sent) return false;
    throw error;
  }
}

describe('the circuit of one app and endpoint', () => {
  it('opens after failures in a row and lets one call try after its pause', () => {
    for (let failure = 0; failure < 2; failure += 1) fail('retry_later', null);
    expect(isOpen()).toBe(true);
    fail('retry_later', null);
    expect(isOpen()).toBe(false);
    now += 5000;
    expect([isOpen(), isOpen()]).toEqual([true, false]);
    gate.succeeded(pass);
    expect(isOpen()).toBe(true);
  });

  it('opens again when the try fails', () => {
    for (let failure = 0; failure < 3; failure += 1) fail('retry_later', -1);
    now += 5000;
    expect(isOpen()).toBe(true);
    fail('retry_later', -1);
    now += 4999;
    expect(isOpen()).toBe(false);
  });

  it('counts only failures in a row: any answer shows that the line is fine', () => {
    fail('retry_later', null);
    fail('retry_later', null);
    fail('new_code', 40029);
    fail('retry_later', null);
    fail('retry_later', null);
    expect(isOpen()).toBe(true);
  });

  it('is nobody else’s', () => {
    for (let failure = 0; failure < 3; failure += 1) fail('retry_later', null);
    expect(isOpen({ ...pass, appId: 'wxother' })).toBe(true);
    expect(isOpen({ ...pass, path: '/cgi-bin/user/get' })).toBe(true);
  });
});

describe('throttling', () => {
  it('pauses until the next minute after 45011', () => {
    fail('throttled', 45011);
    now = start + 29_999;
    expect(isOpen()).toBe(false);
    now = start + 30_000;
    expect(isOpen()).toBe(true);
  });

  it('does not stop everybody where it counts one person’s calls', () => {
    const login = { ...pass, path: '/sns/jscode2session', limitedPerPerson: true };
    fail('throttled', 45011, undefined, login);
    expect(isOpen(login)).toBe(true);
    fail('throttled', 45009, undefined, login);
    expect(isOpen(login)).toBe(false);
  });

  it('pauses until the next day in Beijing after 45009', () => {
    fail('throttled', 45009, 'reach max api daily quota limit');
    now = Date.parse('2026-11-23T15:59:59.999Z');
    expect(isOpen()).toBe(false);
    now = Date.parse('2026-11-23T16:00:00.000Z');
    expect(isOpen()).toBe(true);
  });

  it('lets one call try every ten minutes of the day: the quota may have been cleared', () => {
    now = Date.parse('2026-11-23T00:00:00.000Z');
    fail('throttled', 45009);
    now += 10 * minuteMs - 1;
    expect(isOpen()).toBe(false);
    now += 1;
    expect([isOpen(), isOpen()]).toEqual([true, false]);
  });

  it('pauses for a minute after a 45009 that speaks of minutes', () => {
    fail('throttled', 45009, 'api minute-quota reach limit');
    now = start + 30_000;
    expect(isOpen()).toBe(true);
  });

  it('tells when the call may be made again', () => {
    fail('throttled', 45011);
    expect(() => gate.enter(pass)).toThrow(
      expect.objectContaining({ reaction: 'throttled', errcode: 45011, rid: 'r1', retryAfterMs: 30_000 }),
    );
  });
});

describe('a refused set-up', () => {
  it('is not tried again for a while', () => {
    fail('configuration', 40125);
    now += 9999;
    expect(isOpen()).toBe(false);
    now += 1;
    expect(isOpen()).toBe(true);
  });

  it('is tried at once with another secret', () => {
    fail('configuration', 40125);
    expect(isOpen({ ...pass, fingerprint: 'secret-2' })).toBe(true);
  });

  it('of one person’s token is not everybody’s', () => {
    const personal = { ...pass, path: '/sns/userinfo', personal: true };
    fail('configuration', 48001, undefined, personal);
    expect(isOpen(personal)).toBe(true);
  });
});

describe('any other refusal', () => {
  it.each<[Reaction, number]>([
    ['new_code', 40029],
    ['foreign_identity', 40003],
    ['blocked_user', 40226],
    ['refresh_app_token', 40001],
    ['user_token_dead', 40001],
    ['our_bug', 47001],
    ['session_stale', 87009],
    ['no_such_order', 89300],
  ])('(%s) closes nothing', (reaction, errcode) => {
    for (let refusals = 0; refusals < 20; refusals += 1) fail(reaction, errcode);
    expect(isOpen()).toBe(true);
  });
});
