import type pg from 'pg';
import { isRaisedByAuthor } from './failure.ts';
import { StatementFailure } from '../../../database/connections/statement-failure.ts';

/**
 * Keeps the prepared statements of all connections in step with the tables that they were prepared for.
 *
 * A statement whose table has other columns or types since is refused by the server before it does anything. It is
 * prepared anew and sent again, once. So is every other statement of this process, on each connection before its next
 * use, so that a change of the schema is met once and not once a connection.
 */
export class PreparedStatements {
  /** How often a statement was refused so. */
  #changes = 0;
  /** How many of these the connection has followed. */
  readonly #followed = new WeakMap<pg.Client, number>();

  /** The connection is new: nothing is prepared on it. */
  begin(connection: pg.Client): void {
    this.#followed.set(connection, this.#changes);
  }

  async run<T>(connection: pg.Client, send: () => Promise<T>): Promise<T> {
    if (this.#followed.get(connection) !== this.#changes) await this.#forget(connection);
    try {
      return await send();
    } catch (error) {
      if (!isUnprepared(error)) throw error;
      this.#changes++;
      // The server takes nothing more in a transaction in which a statement failed: the whole of it is to be tried again.
      if (connection.getTransactionStatus() === 'E') throw transactionFailed(error);
      await this.#forget(connection);
      return send();
    }
  }

  async #forget(connection: pg.Client): Promise<void> {
    await connection.query('deallocate all');
    Reflect.set(connection.connection, 'parsedStatements', {});
    this.#followed.set(connection, this.#changes);
  }
}

/**
 * The statement was not carried out because of how it is prepared: for a table that has changed, under a name that is
 * taken already, or not on this session. Told by the code and, where that is of wider use, by the server's own routine.
 */
function isUnprepared(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error) || !('code' in error) || isRaisedByAuthor(error)) return false;
  if (error.code === '0A000')
    return 'routine' in error && error.routine === 'RevalidateCachedQuery';
  return error.code === '26000' || error.code === '42P05';
}

const transactionFailed = (error: Error & { code: string }): StatementFailure =>
  new StatementFailure({ kind: 'rolled-back', code: error.code, passing: true, cause: error });
