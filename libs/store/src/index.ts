export { Database, DatabaseUnavailable, isContention, isUnavailable } from './database.js';
export type { DatabaseOptions, Statement, Transaction } from './database.js';
export { applyChanges, lockAndLoad, readWarm } from './people.js';
export type * from './people.js';
export { listUsers, readHistory, readIdentities, readOwnStates, readStateAsOf, readUsers } from './lookup.js';
export type * from './lookup.js';
export { appliedMigrations } from './migrations.js';
