import { Controller, Get } from '@nestjs/common';

/** The sandbox has nothing to wait for: it is ready as soon as it answers. */
@Controller()
export class HealthController {
  @Get(['livez', 'readyz'])
  live(): object {
    return { status: 'ok' };
  }
}
