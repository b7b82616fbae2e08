import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { encryptUserData, readUserData } from './encrypted-data.js';
import type { LoginFacts } from './encrypted-data.js';
import { userDataSample } from './official-vectors.fixture.js';

const { appId, openId, unionId, sessionKey, iv, encryptedData, timestampSeconds } = userDataSample;
const login: LoginFacts = { appId, openId, unionId, sessionKey };

function plaintext(): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'));
  return Buffer.concat([decipher.update(Buffer.from(encryptedData, 'base64')), decipher.final()]);
}

function sealed(fields: object) {
  return { iv, encryptedData: encryptUserData(fields, { sessionKey, iv }) };
}

function sealedBytes(plain: Buffer) {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'));
  return { iv, encryptedData: Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64') };
}

const watermark = { timestamp: 1477314187, appid: appId };

describe("WeChat's encryptedData sample", () => {
  it('decrypts and confirms the login', () => {
    expect(readUserData({ encryptedData, iv }, login)).toMatchObject({
      ok: true,
      namesPerson: true,
      unconfirmedUnionId: null,
      timestampSeconds,
      fields: { nickName: 'Band', openId, unionId },
    });
    expect(createHash('sha256').update(plaintext()).digest('hex')).toBe(
      '3237d8a5dbd413523c194882c7156544d8a06e2afcc97383cc300c17bd09391b',
    );
  });

  it('is what encrypting its plaintext gives', () => {
    const fields = JSON.parse(plaintext().toString()) as object;
    expect(encryptUserData(fields, { sessionKey, iv })).toBe(encryptedData);
  });

  it('decrypts when its base64 is wrapped into lines', () => {
    const wrapped = encryptedData.replace(/.{76}/g, '$&\r\n');
    expect(readUserData({ encryptedData: wrapped, iv }, login).ok).toBe(true);
  });
});

describe('encryptedData', () => {
  it('without a unionId is no contradiction to a login that has one', () => {
    const data = sealed({ openId, nickName: 'Band', watermark });
    expect(readUserData(data, login)).toMatchObject({ ok: true, namesPerson: true, unconfirmedUnionId: null });
  });

  it('may bring a unionId that the login lacks, which stays unconfirmed', () => {
    expect(readUserData({ encryptedData, iv }, { ...login, unionId: null })).toMatchObject({
      ok: true,
      unconfirmedUnionId: unionId,
    });
  });

  it("of an app that is bound to nothing has no unionId, as with the ids of Senparc's sample", () => {
    const senparc = { appId: 'wxfcb0a0031394a51c', openId: 'onh7q0DGM1dctSDbdByIHvX4imxA', unionId: null };
    const [key, vector] = ['/mGmINZAe+7k6kNz32wxSw==', 'ASJ0whjRyLK1tvgb7bAVSw=='];
    const fields = { openId: senparc.openId, watermark: { timestamp: 1485785979, appid: senparc.appId } };
    const data = { encryptedData: encryptUserData(fields, { sessionKey: key, iv: vector }), iv: vector };
    expect(readUserData(data, { ...senparc, sessionKey: key })).toMatchObject({
      ok: true,
      unconfirmedUnionId: null,
      timestampSeconds: 1485785979,
    });
  });

  it("confirms a unionId that holds more than letters, as that of chanxuehong's sample", () => {
    const named = { appId: 'wxa33cba2b69f869f3', openId, unionId: 'o7S3jvowk3cDEiEJ5CKFsgmNa7_0' };
    const data = sealed({ openId, unionId: named.unionId, watermark: { timestamp: 1, appid: named.appId } });
    const read = readUserData(data, { ...named, sessionKey });
    expect(read).toMatchObject({ ok: true, unconfirmedUnionId: null, fields: { unionId: named.unionId } });
    expect(readUserData(data, { ...named, unionId: named.unionId.replace('_', '-'), sessionKey }).ok).toBe(false);
  });

  it('of getUserProfile or a phone number names nobody', () => {
    const data = sealed({ nickName: '微信用户', watermark });
    expect(readUserData(data, login)).toMatchObject({ ok: true, namesPerson: false, unconfirmedUnionId: null });
  });

  it("must not contradict the login's unionId", () => {
    const other = { ...login, unionId: 'oSomebodyElse' };
    expect(readUserData({ encryptedData, iv }, other)).toEqual({ ok: false, reason: 'different_union_id' });
    expect(readUserData(sealed({ openId, unionId: 7, watermark }), login)).toMatchObject({ ok: false });
  });

  it('with an iv bent so that the openId is another is refused', () => {
    const bent = Buffer.from(iv, 'base64');
    const [from, to] = [Buffer.from('oGZUI'), Buffer.from('oEVIL')];
    const position = '{"openId":"'.length;
    for (const [index, byte] of from.entries()) {
      bent.writeUInt8((bent[position + index] ?? 0) ^ byte ^ (to[index] ?? 0), position + index);
    }
    const forged = { encryptedData, iv: bent.toString('base64') };
    expect(readUserData(forged, login)).toEqual({ ok: false, reason: 'foreign_person' });
    // Everything else about it is in order: only the comparison with the login finds it.
    const forgedOpenId = `oEVIL${openId.slice(5)}`;
    expect(readUserData(forged, { ...login, openId: forgedOpenId })).toMatchObject({ ok: true });
  });

  it('of another app is refused', () => {
    expect(readUserData({ encryptedData, iv }, { ...login, appId: 'wxother' })).toMatchObject({
      reason: 'foreign_app',
    });
    expect(readUserData(sealed({ openId }), login)).toMatchObject({ reason: 'foreign_app' });
    expect(readUserData(sealed({ openId, watermark: [] }), login)).toMatchObject({ reason: 'foreign_app' });
  });

  it('made with the session_key of another login is refused', () => {
    const stale = { ...login, sessionKey: 'HyVFkGl5F5OQWJZZaNzBBg==' };
    expect(readUserData({ encryptedData, iv }, stale).ok).toBe(false);
  });

  it('that is not UTF-8 is refused instead of repaired', () => {
    const plain = plaintext();
    plain.writeUInt8(0xff, plain.indexOf('Band'));
    expect(readUserData(sealedBytes(plain), login)).toEqual({ ok: false, reason: 'undecryptable' });
  });

  it.each(['[]', '"text"', 'null', '1', '{"openId":'])('that holds %s is refused', (text) => {
    expect(readUserData(sealedBytes(Buffer.from(text)), login)).toEqual({ ok: false, reason: 'not_json' });
  });

  it.each([
    ['empty data', { encryptedData: '', iv }],
    ['data whose + became a blank', { encryptedData: encryptedData.replaceAll('+', ' '), iv }],
    ['half a block', { encryptedData: encryptedData.slice(0, 32), iv }],
    ['no base64', { encryptedData: '!!!!', iv }],
    ['a short iv', { encryptedData, iv: 'AAAA' }],
    ['an empty iv', { encryptedData, iv: '' }],
  ])('with %s is malformed', (_what, data) => {
    expect(readUserData(data, login)).toEqual({ ok: false, reason: 'malformed' });
  });

  it.each(['', 'AAAA', 'x'.repeat(24)])('with the session_key %j is malformed', (broken) => {
    expect(readUserData({ encryptedData, iv }, { ...login, sessionKey: broken })).toMatchObject({ ok: false });
  });
});
