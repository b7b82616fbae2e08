import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { v7 } from 'uuid';
import type { SessionVerifier } from '#consumer';
import { feed, IdentityFollower, MemoryStore, SessionRefused, sessionVerifier } from '#consumer';
import { ok } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { operatorKey } from './harness/processes.js';
import { until } from './harness/until.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';

const patience = { timeoutMs: 60_000 };

/** A sibling that checks sessions in its own process, against an API it may poll. */
describe('A verifier of sessions', () => {
  let scene: WechatScene;
  let service: { url: string; apiKey: string };
  let verifier: SessionVerifier;

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 1 });
    await scene.put('game', 'mini_program', 'op1');
    service = { url: scene.acme.apis[0]?.url ?? '', apiKey: operatorKey };
    verifier = sessionVerifier({ ...service, entityId: 'acme', pollMs: 100 });
  });
  afterAll(() => scene.stop());

  const login = async (person: string): Promise<{ token: string; userId: string }> => {
    const { code } = await scene.codeOf(person, 'game');
    const { user, session } = ok(await scene.login('mini-program', 'game', code)).body;
    return { token: session.token, userId: user.id };
  };
  const revoke = async (body: object): Promise<void> => {
    ok(await scene.acme.operator.post('/v1/sessions/revocations', body));
  };
  const outcome = (token: string, by = verifier): Promise<unknown> =>
    by.verify(token).catch((error: unknown) => (error instanceof SessionRefused ? error.reason : error));

  it('tells who somebody is, and in which app, and refuses what was made up or meant for another entity', async () => {
    const { token, userId } = await login('mei');
    expect(await verifier.verify(token)).toEqual({ userId, appId: 'game' });
    const [header = '', payload = '', signature = ''] = token.split('.');
    const other = Buffer.from(JSON.stringify({ ...claims(payload), sub: v7() })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const bad of ['', 'x', `${header}.${other}.${signature}`, `${none}.${payload}.`, `${header}.${payload}.AAAA`])
      expect([bad, await outcome(bad)]).toEqual([bad, 'invalid']);
    expect(await outcome(token, sessionVerifier({ ...service, entityId: 'other' }))).toBe('invalid');
  });

  it('refuses what has expired, and what lacks what a session has, though it is signed with a published key', async () => {
    const sign = await withKeyOfOurs(scene);
    const session = { sub: v7(), aud: 'acme', app: 'game', iss: 'unionlink', jti: v7() };
    const now = Math.floor(Date.now() / 1000);
    const fresh = sessionVerifier({ ...service, entityId: 'acme' });
    const good = await sign({ ...session, iat: now, exp: now + 60 });
    expect(await outcome(good, fresh)).toEqual({ userId: session.sub, appId: 'game' });
    expect(await outcome(await sign({ ...session, iat: now - 60, exp: now - 30 }), fresh)).toBe('expired');
    expect(await outcome(await sign({ ...session, iat: now, exp: now + 60, iss: 'other' }), fresh)).toBe('invalid');
    const { jti: _jti, ...without } = session;
    expect(await outcome(await sign({ ...without, iat: now, exp: now + 60 }), fresh)).toBe('invalid');
  });

  it('refuses revoked sessions soon after, and takes the next login of the same person', async () => {
    const [first, other] = [await login('lin'), await login('lin')];
    await revoke({ jti: claims(first.token.split('.')[1] ?? '').jti, entityId: 'acme' });
    await until(async () => (await outcome(first.token)) === 'revoked', {
      ...patience,
      what: 'the token to be refused',
    });
    expect(await outcome(other.token)).toEqual({ userId: other.userId, appId: 'game' });
    await revoke({ userId: other.userId });
    await until(async () => (await outcome(other.token)) === 'revoked', { ...patience, what: 'both to be refused' });
    await until(async () => (await outcome((await login('lin')).token)) !== 'revoked', {
      ...patience,
      what: 'a later login to be taken',
    });
    const erased = await login('gone');
    expect((await scene.acme.operator.delete(`/v1/users/${erased.userId}?reason=spec`)).status).toBe(202);
    await until(async () => (await outcome(erased.token)) === 'revoked', {
      ...patience,
      what: 'erasure to be noticed',
    });
    expect(verifier.revocationsFreshAt()).toBeInstanceOf(Date);
  });

  it('leads the session of somebody who was merged since to the current id', async () => {
    const [from, into] = [await login('one'), await login('two')];
    const follower = new IdentityFollower({
      source: feed({ ...service, pollMs: 50 }),
      store: new MemoryStore({}),
      handlers: {},
    });
    await follower.start();
    try {
      const led = sessionVerifier({ ...service, entityId: 'acme', follower });
      const merge = {
        targetUserId: into.userId,
        sourceUserIds: [from.userId],
        reason: 'spec',
        allowDifferentUnionIds: true,
      };
      expect(ok(await scene.acme.operator.post('/v1/merges', merge)).body.results[0].outcome).toBe('merged');
      expect(await verifier.verify(from.token)).toEqual({ userId: from.userId, appId: 'game' });
      await until(async () => (await led.verify(from.token)).userId === into.userId, {
        ...patience,
        what: 'the merge to be followed',
      });
    } finally {
      await follower.stop();
    }
  });

  it('goes on while the identity service is away, and calls it an outage where it never had the keys', async () => {
    const { token, userId } = await login('mei');
    expect(await verifier.verify(token)).toEqual({ userId, appId: 'game' });
    await scene.acme.apis[0]?.stop();
    await verifier.verify(token);
    expect(await verifier.verify(token)).toEqual({ userId, appId: 'game' });
    // What fetch throws: the sibling answers 503, not 401.
    expect(await outcome(token, sessionVerifier({ ...service, entityId: 'acme' }))).toMatchObject({
      name: 'TypeError',
    });
  });
});

const claims = (payload: string): Json => JSON.parse(Buffer.from(payload, 'base64url').toString());

/** Signs anything with a key that the service publishes as its own, and never signs with. */
async function withKeyOfOurs(scene: WechatScene): Promise<(payload: Json) => Promise<string>> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const kid = v7();
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' };
  await scene.acme.database.query(
    `INSERT INTO signing_key (kid, private_key, public_jwk, signs_from, retired_at) VALUES ($1, '', $2, now() - interval '2 days', now())`,
    [kid, JSON.stringify(jwk)],
  );
  return (payload) => new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' }).sign(privateKey);
}
