import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Needs } from '../access/authentication.guard.js';
import { Metrics } from './metrics.js';
import { Readiness } from './readiness.js';

@ApiExcludeController()
@Controller()
@Needs('public')
export class OperationController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metricsOf: Metrics,
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
    return this.metricsOf.registry.metrics();
  }
}
