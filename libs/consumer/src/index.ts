import type { FeedOptions } from './feed/service-client.js';
import { FeedSource } from './feed/feed-source.js';
import type { KafkaOptions } from './kafka/kafka-source.js';
import { KafkaSource } from './kafka/kafka-source.js';
import type { PgClient, PgPool } from './store/pg-store.js';
import { PgStore } from './store/pg-store.js';
import type { PrismaLike, PrismaTransaction } from './store/prisma-store.js';
import { PrismaStore } from './store/prisma-store.js';

export type { FollowerOptions, Health, Participant } from './follower.js';
export { IdentityFollower } from './follower.js';
export type { Consent, Handlers } from './handlers.js';
export type { Change } from './change.js';
export type { Log } from './log.js';
export type { Source, SourceHealth } from './source.js';
export type { FollowerStore } from './book.js';
export type { RetryOptions } from './parking.js';
export { People } from './people.js';
export type { FeedOptions, ServiceOptions } from './feed/service-client.js';
export { ServiceRefused } from './feed/service-client.js';
export type { KafkaOptions } from './kafka/kafka-source.js';
export type { PgClient, PgPool } from './store/pg-store.js';
export type { PrismaLike, PrismaTransaction } from './store/prisma-store.js';
export { tables } from './store/tables.js';
export { MemoryStore } from './store/memory-store.js';
export type { SessionVerifier, VerifiedSession, VerifierOptions } from './session/verifier.js';
export { SessionRefused, sessionVerifier } from './session/verifier.js';
export { History } from './harness/history.js';
export type { RandomHistoryOptions } from './harness/random-history.js';
export { randomHistory } from './harness/random-history.js';
export { replay } from './harness/replay.js';
export type { ReplayedConsumer, ReplayOptions } from './harness/replay.js';

/** The events from Kafka. */
export const kafka = (options: KafkaOptions): KafkaSource => new KafkaSource(options);
/** The events over HTTP, for a service without Kafka. */
export const feed = (options: FeedOptions): FeedSource => new FeedSource(options);
/** Your PostgreSQL database through pg; handlers get the client that has the transaction open. */
export const pgStore = <Client extends PgClient>(pool: PgPool<Client>): PgStore<Client> => new PgStore(pool);
/** Your PostgreSQL database through Prisma; handlers get the transaction client. */
export const prismaStore = <Tx extends PrismaTransaction>(prisma: PrismaLike<Tx>): PrismaStore<Tx> =>
  new PrismaStore(prisma);
