export * from './from-schemas/data.js';
export { schemas } from './from-schemas/schemas.js';
export * from './event.js';
export * from './topics.js';
export * from './cloud-event.js';
export * from './async-api.js';
