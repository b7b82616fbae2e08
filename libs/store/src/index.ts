export { Database, DatabaseUnavailable, isContention, isUnavailable } from './database.js';
export type { DatabaseOptions, Statement, Transaction } from './database.js';
