export type Language = 'en' | 'zh';

export interface Finding {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly fix: string;
}

type Words = readonly [title: string, detail: string, fix: string];

/** What may be the matter, in the words of people who run apps. Source: WeChat facts, table 1.5. */
const texts: Readonly<Record<string, Readonly<Record<Language, Words>>>> = {
  app_unbound: {
    en: [
      'The app is bound to no Open Platform account',
      'The registry names no Open Platform account for this app, so its unionIds have no meaning yet. Those that came are kept.',
      'Bind the app at open.weixin.qq.com, then set openPlatformId in the registry: what was kept links by itself within seconds.',
    ],
    zh: [
      '应用没有绑定微信开放平台账号',
      '登记中没有为该应用指定开放平台账号，因此它的 unionId 还没有意义；已收到的会保留。',
      '在 open.weixin.qq.com 绑定该应用，然后在登记中设置 openPlatformId：保留的 unionId 会在几秒内自动关联。',
    ],
  },
  suspected_unbound: {
    en: [
      'WeChat gives no unionId for anybody of this app',
      'Not one of its people came with a unionId, although the registry says that it is bound. Same entity or an association in the console is not a binding.',
      'Check the binding at open.weixin.qq.com; the account must be verified. Afterwards people get a unionId at their next login.',
    ],
    zh: [
      '微信没有为该应用的任何人返回 unionId',
      '登记显示已绑定，但没有一个人带来 unionId。主体相同或在后台「关联」都不等于绑定。',
      '在 open.weixin.qq.com 检查绑定，账号须已认证。之后用户下次登录即可获得 unionId。',
    ],
  },
  union_ids_never_meet: {
    en: [
      'Nobody of this app is known in another app of its Open Platform account',
      'This app and its siblings have people with unionIds, and not one in common: they may be bound to different accounts.',
      'Compare the bindings at open.weixin.qq.com and set openPlatformId in the registry to what it shows.',
    ],
    zh: [
      '该应用没有一个人出现在同一开放平台账号的其他应用中',
      '该应用与其他应用都有带 unionId 的用户，却没有一个相同：它们可能绑定在不同的开放平台账号。',
      '在 open.weixin.qq.com 核对绑定，并在登记中把 openPlatformId 改成实际的账号。',
    ],
  },
  many_changed_union_ids: {
    en: [
      'Several people of this app came with another unionId at once',
      'Their openIds are the same and their unionIds are not: the app was probably moved to another Open Platform account.',
      'If it was moved, declare the new openPlatformId in the registry; otherwise decide the conflicts under /v1/conflicts.',
    ],
    zh: [
      '该应用有多人同时带来了不同的 unionId',
      'openId 没有变，unionId 变了：该应用很可能已迁移到其他开放平台账号。',
      '若已迁移，请在登记中设置新的 openPlatformId；否则在 /v1/conflicts 中处理这些冲突。',
    ],
  },
  foreign_open_ids: {
    en: [
      'Several openIds do not look like those of this app',
      'Their first characters differ from those of nearly all others; they may have been sent under the wrong appId.',
      'Check which appId each back end sends; the openIds concerned have the finding foreign_prefix.',
    ],
    zh: [
      '有多个 openId 不像属于该应用',
      '它们的前几个字符与几乎所有其他 openId 不同，可能以错误的 appId 发送。',
      '检查各后端发送的 appId；相关 openId 带有 foreign_prefix 结果。',
    ],
  },
  not_following: {
    en: [
      'The person does not follow the service account',
      'For a service account WeChat tells the unionId of followers only.',
      'Wait for the follow, or ask for snsapi_userinfo behind a button on the page.',
    ],
    zh: [
      '此人没有关注公众号',
      '对公众号，微信只返回关注者的 unionId。',
      '等待关注，或在页面上通过按钮请求 snsapi_userinfo 授权。',
    ],
  },
  base_scope: {
    en: [
      'The login asked for snsapi_base',
      'Silent authorisation officially gives no unionId.',
      'Use snsapi_userinfo behind a button, or look followers up by message push.',
    ],
    zh: [
      '登录使用了 snsapi_base',
      '静默授权按规定不返回 unionId。',
      '通过按钮使用 snsapi_userinfo，或借助消息推送查询关注者。',
    ],
  },
  before_binding: {
    en: [
      'The person was seen before the app was bound',
      'Unionids appear from the binding on; who was collected before has none until they come back.',
      'Mini-programs: wait for the next login. Service accounts: import the followers.',
    ],
    zh: [
      '此人出现在应用绑定之前',
      '绑定之后才会有 unionId；之前收集的用户要等再次到来。',
      '小程序：等下次登录。公众号：导入关注者。',
    ],
  },
  former_binding: {
    en: [
      'The unionId belongs to a former Open Platform account',
      'The app was moved; WeChat still sent a unionId of the account before. It is kept and not used.',
      'Nothing to do if the move is under way; otherwise check which account the app is bound to.',
    ],
    zh: [
      'unionId 属于之前的开放平台账号',
      '应用已迁移，但微信仍返回旧账号的 unionId；已保留，未使用。',
      '若迁移正在进行则无需处理；否则请检查应用绑定的账号。',
    ],
  },
  weak_source: {
    en: [
      'A unionId came only from the client',
      'encryptedData named a unionId that the login itself did not; such data can be forged, so it never links.',
      'Nothing to do: once WeChat names it in a login, it links by itself.',
    ],
    zh: [
      'unionId 只来自客户端',
      'encryptedData 给出了登录本身没有的 unionId；这类数据可以伪造，因此不会用于关联。',
      '无需处理：微信在登录中返回后会自动关联。',
    ],
  },
  different_union_id: {
    en: [
      'WeChat gives another unionId than the one held',
      'The same openId came with a different unionId of the same account. Nothing was moved; the conflict is in the review queue.',
      'Declare the new binding if the app was moved to another account; otherwise decide the conflict under /v1/conflicts.',
    ],
    zh: [
      '微信返回的 unionId 与已有的不同',
      '同一 openId 带来了同一账号下不同的 unionId；没有移动任何内容，冲突在待审列表中。',
      '若应用已迁移到其他账号，请登记新的绑定；否则在 /v1/conflicts 中处理该冲突。',
    ],
  },
  second_open_id: {
    en: [
      'Two openIds of this app came with one unionId',
      'A real unionId has one openId per app: a snapshot user, a wrong appId, or an app whose binding is being moved.',
      'Check which appId the back end sends, then decide the conflict under /v1/conflicts.',
    ],
    zh: [
      '该应用的两个 openId 带来同一个 unionId',
      '真实的 unionId 在每个应用里只有一个 openId：可能是快照用户、appId 错误，或绑定正在迁移。',
      '检查后端发送的 appId，然后在 /v1/conflicts 中处理该冲突。',
    ],
  },
  separated: {
    en: [
      'A person decided that these are two people',
      'The evidence would join two users who were separated by hand.',
      'If that decision was wrong, remove the separation.',
    ],
    zh: ['人工判定为两个人', '证据会合并两个已被人工分开的用户。', '若该判定有误，请删除该分离。'],
  },
  retired_union_id: {
    en: [
      'The unionId was replaced',
      'WeChat changed the unionId of this person inside the account; the old one still leads here.',
      'Nothing to do.',
    ],
    zh: ['unionId 已更换', '微信在该账号内更换了此人的 unionId；旧的仍指向该用户。', '无需处理。'],
  },
  foreign_prefix: {
    en: [
      'The openId does not look like one of this app',
      'Its first characters differ from those of nearly all others of the app; it may have been sent under the wrong appId.',
      'Check which appId the back end sends.',
    ],
    zh: [
      '该 openId 不像属于该应用',
      '它的前几个字符与该应用几乎所有其他 openId 不同，可能以错误的 appId 发送。',
      '检查后端发送的 appId。',
    ],
  },
  sandbox: {
    en: [
      'The app is marked as a test account',
      'Test accounts have unionIds only where they are bound.',
      'Nothing to do.',
    ],
    zh: ['该应用标记为测试号', '测试号只有在绑定后才有 unionId。', '无需处理。'],
  },
  unexplained: {
    en: [
      'WeChat gave no unionId, and nothing seen says why',
      'Other people of the app have one. A few followers without are known to happen.',
      'Check the appId and openId pair; the service takes the unionId with the next login or push.',
    ],
    zh: [
      '微信没有返回 unionId，原因不明',
      '该应用的其他人有 unionId；少数关注者没有的情况是已知的。',
      '检查 appId 与 openId 是否配对；下次登录或推送带来 unionId 时会自动记录。',
    ],
  },
};

export function finding(code: string, language: Language): Finding {
  const [title, detail, fix] = texts[code]?.[language] ?? [code, '', ''];
  return { code, title, detail, fix };
}

/** The first language of `Accept-Language` that we have; English otherwise. */
export function languageOf(header: string | undefined): Language {
  for (const part of (header ?? '').split(',')) {
    const tag = part.trim().toLowerCase();
    if (tag.startsWith('zh')) return 'zh';
    if (tag.startsWith('en')) return 'en';
  }
  return 'en';
}
