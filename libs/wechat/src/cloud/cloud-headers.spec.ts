import { type CloudHeaders, readCloudHeaders } from './cloud-headers.js';

describe('Who called a container in cloud hosting', () => {
  const own = { 'x-wx-source': 'wx_client', 'x-wx-appid': 'wx1', 'x-wx-openid': 'oA', 'x-wx-unionid': 'uA' };
  const shared = {
    'x-wx-source': 'wx_client',
    'x-wx-appid': 'wx1',
    'x-wx-from-appid': 'wx2',
    'x-wx-from-openid': 'oB',
    'x-wx-from-unionid': 'uB',
  };
  const cases: readonly [string, CloudHeaders, object][] = [
    ['the person of the app itself', own, { ok: true, appId: 'wx1', openId: 'oA', unionId: 'uA' }],
    ['no unionId in an empty one', { ...own, 'x-wx-unionid': ' ' }, { ok: true, unionId: null }],
    ['the person of a sharing app, under that app', shared, { ok: true, appId: 'wx2', openId: 'oB', unionId: 'uB' }],
    [
      'never the unionId of one caller for the other',
      { ...shared, 'x-wx-from-unionid': '', 'x-wx-unionid': 'uA' },
      { ok: true, openId: 'oB', unionId: null },
    ],
    ['nobody without a source', { ...own, 'x-wx-source': '' }, { ok: false, reason: 'no_source' }],
    ['nobody without headers', {}, { ok: false, reason: 'no_source' }],
    ['nobody without an openId', { ...own, 'x-wx-openid': '' }, { ok: false, reason: 'no_caller' }],
    ['nobody without an app', { ...own, 'x-wx-appid': '' }, { ok: false, reason: 'no_caller' }],
    [
      'nobody where a sharing app has no name',
      { ...shared, 'x-wx-from-appid': '' },
      { ok: false, reason: 'no_caller' },
    ],
    ['neither of two callers', { ...shared, 'x-wx-openid': 'oA' }, { ok: false, reason: 'two_callers' }],
    ['nobody in a doubled header', { ...own, 'x-wx-openid': 'oA, oB' }, { ok: false, reason: 'malformed' }],
    ['nobody in a unionId that is none', { ...own, 'x-wx-unionid': 'u\u0000' }, { ok: false, reason: 'malformed' }],
  ];

  it.each(cases)('is %s', (_what, headers, caller) => {
    expect(readCloudHeaders(headers)).toMatchObject(caller);
  });
});
