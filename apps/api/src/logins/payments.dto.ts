import { Matches, ValidateIf } from 'class-validator';

const visible = (max: number): RegExp => new RegExp(`^[\\x21-\\x7e]{1,${max}}$`);

export class PaidUnionIdDto {
  /** The payer inside this app, as the payment names them. */
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'openId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  openId: string;

  /** WeChat Pay's number of the payment; or `mchId` with `outTradeNo`. */
  @ValidateIf((body: PaidUnionIdDto) => body.transactionId !== undefined || !hasOwnNumber(body))
  @Matches(visible(64), { message: 'transactionId, or mchId and outTradeNo: 1 to 64 visible ASCII characters' })
  transactionId?: string;

  /** The merchant, with `outTradeNo`. */
  @ValidateIf((body: PaidUnionIdDto) => body.mchId !== undefined || body.outTradeNo !== undefined)
  @Matches(visible(32), { message: 'mchId must be 1 to 32 visible ASCII characters' })
  mchId?: string;

  /** The merchant's own number of the order. */
  @ValidateIf((body: PaidUnionIdDto) => body.mchId !== undefined || body.outTradeNo !== undefined)
  @Matches(visible(64), { message: 'outTradeNo must be 1 to 64 visible ASCII characters' })
  outTradeNo?: string;
}

function hasOwnNumber({ mchId, outTradeNo }: PaidUnionIdDto): boolean {
  return mchId !== undefined || outTradeNo !== undefined;
}
