/** WeChat's texts for its errcodes, without the rid. */
const texts: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40030: 'invalid refresh_token',
  40032: 'invalid openid list size',
  40066: 'invalid url',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40163: 'code been used',
  40164: 'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist',
  40226: 'code blocked',
  40243: 'appsecret frozen',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  42001: 'access_token expired',
  42002: 'refresh_token expired',
  43001: 'require GET method',
  43002: 'require POST method',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  47001: 'data format error',
  48001: 'api unauthorized',
  48006: 'forbid to clear quota because of reaching the limit',
  50002: 'user limited',
  63178: 'the two accounts have no approved migration',
  63182: 'openid_list is empty',
  63183: 'invalid openid_list',
  76021: 'cgi_path not found',
  87007: 'session_key is not existed or expired',
  87008: 'invalid sig_method',
  87009: 'invalid session_key signature',
  89002: 'open not exists',
  89300: 'order not exist',
};

/** A refusal in WeChat's manner: HTTP 200 with a number. */
export class WechatRefusal extends Error {
  override readonly name = 'WechatRefusal';
  readonly errcode: number;

  constructor(errcode: number) {
    super(texts[errcode] ?? 'refused');
    this.errcode = errcode;
  }
}
