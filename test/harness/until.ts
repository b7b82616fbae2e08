/** How specs wait: for a condition, with a limit, and never with a bare sleep. */
export { until, type Patience } from '../../tools/until.js';
