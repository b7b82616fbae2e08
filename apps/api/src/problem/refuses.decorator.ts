import { ApiExtension } from '@nestjs/swagger';
import type { RefusalCode } from '#identity';

/** Where the OpenAPI document finds them while it is made; it shows them by status. */
export const refusesKey = 'x-refuses';

/** A code, and its status where this route's is not that of the table. */
export type Refused = RefusalCode | { readonly code: RefusalCode; readonly status: number };

/** What this route refuses with, besides what every route may. */
export const Refuses = (...codes: Refused[]): MethodDecorator => ApiExtension(refusesKey, codes);
