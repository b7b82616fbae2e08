/** The real parts that `npm test` started (tools/test.ts) and told us of through the environment. */

function told(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: specs run through "npm test", which starts PostgreSQL and Kafka for them`);
  }
  return value;
}

export const services = {
  /** A PostgreSQL user who may create databases. */
  get adminUrl(): string {
    return told('UNIONLINK_TEST_PG');
  },
  /** A migrated, empty database to clone. */
  get templateDatabase(): string {
    return told('UNIONLINK_TEST_TEMPLATE');
  },
  get kafkaBrokers(): string {
    return told('UNIONLINK_TEST_KAFKA');
  },
  /** A folder of this test run, for logs and the like; gone after a run that passed. */
  get folder(): string {
    return told('UNIONLINK_TEST_FOLDER');
  },
};
