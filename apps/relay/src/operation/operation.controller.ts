import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { RelayMetrics } from './metrics.js';
import { Readiness } from './readiness.js';

@Controller()
export class OperationController {
  constructor(
    private readonly readiness: Readiness,
    private readonly relayMetrics: RelayMetrics,
  ) {}

  @Get('livez')
  livez(): object {
    return { status: 'ok' };
  }

  @Get('readyz')
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const why = await this.readiness.whyNot();
    if (why === null) return { status: 'ok' };
    void reply.status(503).header('retry-after', '1');
    return { status: 'not_ready', detail: why };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  metrics(): Promise<string> {
    return this.relayMetrics.text();
  }
}
