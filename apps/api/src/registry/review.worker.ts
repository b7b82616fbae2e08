import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { AppReview } from '#identity';

/** A declared rebind takes effect within seconds (contract); an idle look costs one probe of an empty partial index. */
const everyMs = 500;

@Injectable()
export class ReviewWorker implements OnApplicationBootstrap, OnApplicationShutdown {
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly review: AppReview,
    @Inject('logger') private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.next();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private next(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.look().finally(() => this.next());
    }, everyMs);
  }

  private async look(): Promise<void> {
    try {
      const reviewed = await this.review.run();
      if (reviewed > 0) this.logger.info({ reviewed }, 'reviewed findings after a declared binding');
    } catch (error) {
      this.logger.warn({ err: error }, 'the review of bindings will be tried again');
    }
  }
}
