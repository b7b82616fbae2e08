export interface SeenIdentity {
  readonly linkedAt: Date;
  readonly source: string;
  readonly pendingReason: string | null;
  readonly hasKey: boolean;
  readonly hasRetiredKey: boolean;
  readonly subscribed: boolean | null;
  /** The openId begins unlike nearly all others of its app. */
  readonly hasForeignPrefix: boolean;
}

export interface SeenApp {
  readonly openPlatformId: string | null;
  readonly boundSince: Date | null;
  readonly sandbox: boolean;
  readonly identities: number;
  readonly withUnionId: number;
}

/** Few people say nothing about a whole app. */
const tellingIdentities = 3;

/** Which rows of WeChat's table of causes apply to one identity, most telling first. */
export function diagnoseIdentity(identity: SeenIdentity, app: SeenApp): string[] {
  const codes: string[] = [];
  if (identity.pendingReason !== null) codes.push(identity.pendingReason);
  if (identity.hasForeignPrefix) codes.push('foreign_prefix');
  if (identity.hasKey) return identity.hasRetiredKey ? [...codes, 'retired_union_id'] : codes;
  if (app.openPlatformId === null) return unique([...codes, 'app_unbound']);
  if (app.sandbox) codes.push('sandbox');
  codes.push(...whyNone(identity, app));
  return unique(codes.length === 0 ? ['unexplained'] : codes);
}

function whyNone(identity: SeenIdentity, app: SeenApp): string[] {
  if (app.withUnionId === 0 && app.identities >= tellingIdentities) return ['suspected_unbound'];
  const codes: string[] = [];
  if (identity.subscribed === false) codes.push('not_following');
  if (identity.source === 'oauth_base') codes.push('base_scope');
  if (app.boundSince !== null && identity.linkedAt < app.boundSince) codes.push('before_binding');
  return codes;
}

/** The same for a whole app. */
export function diagnoseApp(
  app: SeenApp & { readonly pending: Readonly<Record<string, number>>; readonly suspicions: readonly string[] },
): string[] {
  const codes = app.openPlatformId === null ? ['app_unbound'] : [];
  if (app.openPlatformId !== null && app.withUnionId === 0 && app.identities >= tellingIdentities)
    codes.push('suspected_unbound');
  if (app.sandbox) codes.push('sandbox');
  // The watch says it with more people, and may not have looked since somebody came with a unionId.
  codes.push(...app.suspicions.filter((code) => code !== 'suspected_unbound'));
  return unique([...codes, ...Object.keys(app.pending)]);
}

function unique(codes: readonly string[]): string[] {
  return [...new Set(codes)];
}
