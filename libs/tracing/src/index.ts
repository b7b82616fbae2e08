export type { TracingSettings } from './tracer.js';
export { Tracer } from './tracer.js';
export type { Span } from './span.js';
export { parseTraceparent } from './span.js';
