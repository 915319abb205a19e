/**
 * Tells whether a connection keeps one session of the server for as long as it lasts.
 *
 * A pooler between may give each transaction, or each statement, another session: what Lockstep sets for its statements
 * would then be missing from its own and be found by those of other programs. Such a pooler is refused.
 *
 * A server announces to each new connection the id of its session. If a query finds another id, a pooler is in between.
 * Whether that shares sessions is found with a second connection: while the first one lives, a session of its own is
 * never seen by the second, and never becomes another one. A shared one does both, as soon as the pooler hands it on.
 */
import type { Driver } from './driver.ts';

/** `none`: nothing stands between, or nothing that can be seen. */
export type Pooling = 'none' | 'session' | 'transaction' | 'statement';

/** A busy pooler may give one of the two another session by chance: how often both are looked at. */
const ROUNDS = 10;

/**
 * Changes nothing that another program could see. Rejects where no second connection is to be had.
 * @param open makes another connection to the same address, on which nothing is set
 */
export async function findPooling<C>(
  driver: Driver<C>,
  connection: C,
  open: () => Promise<C>,
): Promise<Pooling> {
  const own = await driver.currentSession(connection);
  if (own === driver.announcedSession(connection)) return 'none';
  const second = await open();
  try {
    await driver.currentSession(second);
    for (let round = 0; round < ROUNDS; round++) {
      await driver.run(second, { text: 'start transaction', values: [] });
      // Asked first: while the second holds the only session of a pooler, the first one waits for it.
      if ((await driver.currentSession(second)) === own) return 'transaction';
      const now = await driver.currentSession(connection);
      await driver.run(second, { text: 'rollback', values: [] });
      if (now !== own) return 'transaction';
    }
    return 'session';
  } catch (error) {
    if (isStatementPooling(error)) return 'statement';
    throw error;
  } finally {
    driver.destroy(second);
  }
}

/** PgBouncer ends a connection that begins a transaction, and says so. */
const isStatementPooling = (error: unknown): boolean =>
  error instanceof Error && /statement pooling/i.test(error.message);

/** The way to the database leads through a pooler that Lockstep cannot work with. */
export class PoolerRefused extends Error {
  override readonly name = 'PoolerRefused';

  constructor(what: string) {
    super(
      `is reached through a pooler that ${what}; allowed: the database itself, or a pooler in session mode (PgBouncer: pool_mode = session)`,
    );
  }
}

export function refusedPooling(pooling: Pooling): PoolerRefused | null {
  if (pooling === 'none' || pooling === 'session') return null;
  return new PoolerRefused(
    `gives every ${pooling} another session of the server (${pooling} pooling)`,
  );
}

/** What is wrong with the way to the database, where that is why it could not be used: one line, with what is allowed. */
export function poolerFault(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof PoolerRefused) return at.message;
  }
  return null;
}
