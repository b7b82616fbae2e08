/**
 * A handler caught the error of a statement of its own and went on. PostgreSQL answers the COMMIT of such a transaction
 * with a rollback and no error: taken for done, all of its steps would be lost.
 */
export class FailedStatement extends Error {
  override readonly name = 'FailedStatement';

  constructor(options?: ErrorOptions) {
    super('a statement in this transaction had failed, and nothing of it was kept', options);
  }
}
