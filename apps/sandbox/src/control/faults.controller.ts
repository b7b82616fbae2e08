import { Body, Controller, Delete, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { FaultDto } from './faults.dto.js';
import { Faults } from './faults.js';

const longerThanAnyCallerMs = 30_000;
const slowMs = 1000;

/** Makes the next calls fail on demand. */
@Controller('_faults')
export class FaultsController {
  constructor(@Inject(Faults) private readonly faults: Faults) {}

  @Post()
  @HttpCode(200)
  order(@Body() body: FaultDto): object {
    this.faults.order({
      endpoint: body.endpoint,
      appId: body.appId ?? null,
      kind: body.kind,
      errcode: body.errcode ?? -1,
      status: body.status ?? 502,
      delayMs: body.delayMs ?? (body.kind === 'timeout' ? longerThanAnyCallerMs : slowMs),
      times: body.times ?? 1,
    });
    return { faults: this.faults.list() };
  }

  @Get()
  list(): object {
    return { faults: this.faults.list() };
  }

  @Delete()
  @HttpCode(204)
  clear(): void {
    this.faults.clear();
  }
}
