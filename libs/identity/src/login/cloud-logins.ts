import { Injectable } from '@nestjs/common';
import type { CloudHeaders } from '#wechat';
import { readCloudHeaders } from '#wechat';
import { Refusal } from '../problem.js';
import { Registry } from '../registry/registry.js';
import { admit } from '../resolve/door.js';
import type { ResolveResult } from '../resolve/resolve-one.js';
import type { Asker } from '../resolve/resolver.js';
import { Resolver } from '../resolve/resolver.js';

/** Logs in whom WeChat's cloud hosting names in its headers: no code, no secret, no call of WeChat. */
@Injectable()
export class CloudLogins {
  constructor(
    private readonly registry: Registry,
    private readonly resolver: Resolver,
  ) {}

  async login(appId: string, headers: CloudHeaders, asker: Asker): Promise<ResolveResult> {
    const { kind, cloudHosting } = await this.registry.credentials(appId, asker.entityId);
    if (kind !== 'mini_program')
      throw new Refusal('wrong_app_kind', `an app of kind ${kind} does not log people in this way`);
    if (!cloudHosting)
      throw new Refusal('cloud_hosting_off', 'the registry does not say that this app runs in cloud hosting');
    const caller = readCloudHeaders(headers);
    const reason = caller.ok ? (caller.appId === appId ? null : 'other_app') : caller.reason;
    if (!caller.ok || reason !== null)
      throw new Refusal('cloud_headers_invalid', `the headers of cloud hosting do not name the caller: ${reason}`, {
        reason,
      });
    const { openId, unionId } = caller;
    return this.resolver.resolveOne(admit({ appId, openId, unionId, source: 'cloud_header' }), asker);
  }
}
