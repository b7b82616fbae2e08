import { ok } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';
import { refusal, startWechatScene, type WechatScene } from './harness/wechat-scene.js';

describe('A back end that was paid in a mini program', () => {
  let scene: WechatScene;
  let next = 0;
  const person = (): string => `payer-${(next += 1)}`;

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 1 });
    await scene.put('shop', 'mini_program', 'op1');
    await scene.put('loose', 'mini_program', null);
    await scene.put('game', 'mini_game', 'op1');
    await scene.put('service', 'service_account', 'op1');
  });
  afterAll(() => scene.stop());

  const pay = async (who: string, appId = 'shop'): Promise<Json> =>
    ok(await scene.wechat.post('/_control/pay', { person: who, appId })).body;
  const learn = (appId: string, body: object): Promise<Answer<Json>> =>
    scene.acme.anyone().post(`/v1/apps/${appId}/paid-union-id`, body);

  it('learns the unionId of the payer by either number, and finds them in a sibling app by it', async () => {
    const [one, other] = [person(), person()];
    const byTransaction = await pay(one);
    const { openId, transactionId } = byTransaction;
    expect(ok(await learn('shop', { openId, transactionId })).body).toMatchObject({ outcome: 'created' });
    const { openId: otherOpenId, mchId, outTradeNo } = await pay(other);
    const known = await scene.acme.resolved('shop', otherOpenId);
    const learned = ok(await learn('shop', { openId: otherOpenId, mchId, outTradeNo })).body;
    expect(learned).toMatchObject({ outcome: 'keyed', user: { id: known.user.id } });
    const { code } = await scene.codeOf(other, 'service', { scope: 'snsapi_userinfo' });
    expect(ok(await scene.login('oauth', 'service', code)).body).toMatchObject({
      outcome: 'linked',
      user: { id: known.user.id },
    });
    const [entry] = ok(await scene.acme.operator.get(`/v1/users/${known.user.id}/history`)).body.items.slice(-2);
    expect(JSON.stringify(entry.evidence)).toContain('paid_unionid');
  });

  it('is told why WeChat does not say', async () => {
    const { openId, transactionId } = await pay(person());
    const order = { openId, transactionId };
    const stranger = await pay(person());
    expect(await refusal(learn('shop', { openId, transactionId: 'made-up' }))).toEqual([404, 'order_not_found', 89300]);
    expect(await refusal(learn('shop', { ...order, openId: stranger.openId }))).toEqual([
      404,
      'order_not_found',
      89300,
    ]);
    expect(await refusal(learn('shop', { ...order, openId: 'oForeign' }))).toEqual([422, 'foreign_open_id', 40003]);
    expect(await refusal(learn('game', order))).toEqual([409, 'wrong_app_kind', undefined]);
    expect(await refusal(learn('service', order))).toEqual([409, 'wrong_app_kind', undefined]);
    expect(await refusal(learn('nowhere', order))).toEqual([404, 'app_not_found', undefined]);
    expect(await refusal(learn('a1', order))).toEqual([502, 'wechat_misconfigured', null]);
    const unbound = await pay(person(), 'loose');
    const asked = { openId: unbound.openId, transactionId: unbound.transactionId };
    expect(await refusal(learn('loose', asked))).toEqual([502, 'wechat_misconfigured', 89002]);
    // A call that may be repeated is: WeChat is busy three times before anybody hears of it.
    await scene.fault('shop', '/wxa/getpaidunionid', { kind: 'errcode', errcode: -1, times: 2 });
    expect((await learn('shop', order)).status).toBe(200);
    expect((await scene.acme.operator.get(`/v1/identities/shop/${stranger.openId}`)).status).toBe(404);
  });

  it('names one number of the order, as ingest', async () => {
    const { openId, transactionId, mchId, outTradeNo } = await pay(person());
    for (const body of [
      { openId },
      { openId, mchId },
      { openId, outTradeNo },
      { openId, transactionId, mchId, outTradeNo },
      { openId, transactionId: 'two words' },
      { openId: 'no id', transactionId },
      { openId, transactionId, more: 1 },
    ])
      expect([body, ...(await refusal(learn('shop', body)))]).toEqual([body, 400, 'invalid_request', undefined]);
    const anonymous = await scene.acme.operator.as(undefined).post('/v1/apps/shop/paid-union-id', {});
    expect(anonymous.status).toBe(401);
  });
});
