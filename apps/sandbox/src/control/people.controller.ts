import { BadRequestException, Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { cancelled, followed, profileModified, revoked, scanned, unfollowed } from '../push/events.js';
import type { PushFields } from '../push/body.js';
import { Pusher } from '../push/pusher.js';
import { Desk } from '../wechat/desk.js';
import type { App } from '../world/world.js';
import { EventDto, LoginDto, PayDto, PersonDto, PushDto } from './people.dto.js';
import { appAt } from './lookup.js';
import { logIn } from './stage.js';

/** Withdrawn when nothing else is said: nickname and avatar. */
const usualRevokeInfo = '6';

/** What people do: log in, follow, pay, and take back. */
@Controller('_control')
export class PeopleController {
  constructor(
    @Inject(Desk) private readonly desk: Desk,
    @Inject(Pusher) private readonly pusher: Pusher,
  ) {}

  @Post('persons')
  addPerson(@Body() { name }: PersonDto): object {
    this.desk.world.people.add(name);
    return { name };
  }

  @Post('login')
  @HttpCode(200)
  logIn(@Body() body: LoginDto): object {
    const app = appAt(this.desk.world, body.appId);
    if (app.kind === 'subscription_account') {
      throw new BadRequestException('a subscription account has no login; people follow it');
    }
    return logIn(this.desk, { app, person: body.person, scope: body.scope, isSnapshot: body.snapshot ?? false });
  }

  @Post('follow')
  @HttpCode(200)
  async follow(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#officialAccount(body);
    app.followers.set(body.person, this.desk.clock.seconds());
    app.lookedUpTooEarly.set(body.person, this.desk.clock.now() + (body.unknownForSeconds ?? 0) * 1000);
    return this.#push(app, body, followed(openId, body.scene));
  }

  @Post('unfollow')
  @HttpCode(200)
  async unfollow(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#officialAccount(body);
    app.followers.delete(body.person);
    return this.#push(app, body, unfollowed(openId));
  }

  /** A parametric code: whoever follows already sends SCAN, anybody else follows by it. */
  @Post('scan')
  @HttpCode(200)
  async scan(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#officialAccount(body);
    const scene = body.scene ?? '1';
    if (app.followers.has(body.person)) return this.#push(app, body, scanned(openId, scene));
    app.followers.set(body.person, this.desk.clock.seconds());
    return this.#push(app, body, followed(openId, scene));
  }

  @Post('revoke')
  @HttpCode(200)
  async revoke(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#met(body);
    return this.#push(app, body, revoked(app, openId, body.revokeInfo ?? usualRevokeInfo));
  }

  /** The person closes their WeChat account; this app hears of it. */
  @Post('cancel')
  @HttpCode(200)
  async cancel(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#met(body);
    app.followers.delete(body.person);
    return this.#push(app, body, cancelled(app, openId));
  }

  @Post('modify-profile')
  @HttpCode(200)
  async modifyProfile(@Body() body: EventDto): Promise<object> {
    const { app, openId } = this.#met(body);
    return this.#push(app, body, profileModified(app, openId));
  }

  @Post('pay')
  @HttpCode(200)
  pay(@Body() { person, appId, ...named }: PayDto): object {
    const { app, openId } = this.#met({ person, appId });
    const { transactionId, mchId, outTradeNo } = this.desk.orders.pay({ appId: app.appId, person, ...named });
    return { openId, transactionId, mchId, outTradeNo };
  }

  /** Any push at all, as often as said. */
  @Post('push')
  @HttpCode(200)
  async push(@Body() { appId, message, copies = 1 }: PushDto): Promise<object> {
    const app = appAt(this.desk.world, appId);
    const sendings = Array.from({ length: copies }, () => this.pusher.send(app, message, null));
    await Promise.all(sendings.map(({ delivered }) => delivered));
    return { pushes: sendings.map(({ entry }) => entry) };
  }

  #met({ person, appId }: { person: string; appId: string }): { app: App; openId: string } {
    const app = appAt(this.desk.world, appId);
    return { app, openId: this.desk.world.meet(app, person) };
  }

  #officialAccount(body: EventDto): { app: App; openId: string } {
    const { kind } = appAt(this.desk.world, body.appId);
    if (kind !== 'service_account' && kind !== 'subscription_account') {
      throw new BadRequestException('only official accounts have followers');
    }
    return this.#met(body);
  }

  async #push(app: App, { person, wait }: EventDto, fields: PushFields): Promise<object> {
    const { entry, delivered } = this.pusher.send(app, fields, person);
    if (wait !== false) await delivered;
    return { openId: this.desk.world.meet(app, person), push: { ...entry } };
  }
}
