import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { PaidUnionIds, Refusal } from '#identity';
import type { PaidOrder } from '#wechat';
import { Needs } from '../access/authentication.guard.js';
import { ResolvedAnswer } from '../identities/identities.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { PaidUnionIdDto } from './payments.dto.js';

@ApiTags('Login')
@Controller('v1/apps/:appId')
@Needs('ingest')
export class PaymentsController {
  constructor(private readonly paid: PaidUnionIds) {}

  /**
   * For back ends, within five minutes after a payment in a mini program: asks WeChat for the payer's unionId and
   * resolves. Answers as a resolve does.
   */
  @Post('paid-union-id')
  @HttpCode(200)
  @Refuses(
    'app_not_found',
    'wrong_app_kind',
    'foreign_open_id',
    'order_not_found',
    'observation_stale',
    'wechat_throttled',
    'wechat_unavailable',
    'wechat_misconfigured',
  )
  learn(
    @CurrentAsking() asking: Asking,
    @Param('appId') appId: string,
    @Body() body: PaidUnionIdDto,
  ): Promise<ResolvedAnswer> {
    const asker = { ...asking.origin('observation'), entityId: asking.caller.entityId };
    return this.paid.learn(appId, body.openId, orderOf(body), asker);
  }
}

function orderOf({ transactionId, mchId, outTradeNo }: PaidUnionIdDto): PaidOrder {
  if (transactionId !== undefined && mchId === undefined && outTradeNo === undefined) return { transactionId };
  if (transactionId === undefined && mchId !== undefined && outTradeNo !== undefined) return { mchId, outTradeNo };
  const message = 'transactionId, or mchId with outTradeNo, and not both';
  throw new Refusal('invalid_request', message, { errors: [{ path: 'transactionId', message }] });
}
