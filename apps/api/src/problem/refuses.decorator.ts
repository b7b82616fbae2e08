import { ApiExtension } from '@nestjs/swagger';
import type { RefusalCode } from '#identity';

/** Where the OpenAPI document finds them while it is made; it shows them by status. */
export const refusesKey = 'x-refuses';

/** What this route refuses with, besides what every route may. */
export const Refuses = (...codes: RefusalCode[]): MethodDecorator => ApiExtension(refusesKey, codes);
