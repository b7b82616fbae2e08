import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.js';

const askableMs = 5 * 60_000;
const ordersMax = 100_000;

export interface Order {
  readonly appId: string;
  readonly person: string;
  readonly transactionId: string;
  readonly mchId: string;
  readonly outTradeNo: string;
  readonly paidAt: number;
}

type OrderName = 'transactionId' | 'mchId' | 'outTradeNo';

/** Payments, which let a back end ask for the payer's unionId for five minutes. */
export class Orders {
  readonly #orders: Order[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pay(given: Pick<Order, 'appId' | 'person'> & { [Name in OrderName]?: string | undefined }): Order {
    const order = {
      appId: given.appId,
      person: given.person,
      // Not spread: what a request leaves out arrives as undefined, and would replace these.
      transactionId: given.transactionId ?? `42000${randomBytes(12).toString('hex').slice(0, 23)}`,
      mchId: given.mchId ?? '1230000109',
      outTradeNo: given.outTradeNo ?? randomBytes(16).toString('hex'),
      paidAt: this.#clock.now(),
    };
    this.#orders.push(order);
    if (this.#orders.length > ordersMax) this.#orders.shift();
    return order;
  }

  find(appId: string, named: { transactionId?: string; mchId?: string; outTradeNo?: string }): Order | undefined {
    const oldest = this.#clock.now() - askableMs;
    return this.#orders.find(
      (order) =>
        order.appId === appId &&
        order.paidAt >= oldest &&
        (named.transactionId === undefined
          ? order.mchId === named.mchId && order.outTradeNo === named.outTradeNo
          : order.transactionId === named.transactionId),
    );
  }
}
