/** Guarded transactions of a service: the calls of a coordinator around them, and what each ended in, for the ledger. */
import { isJsonObject } from '@lockstep/shared';
import pg from 'pg';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { SideDoor } from '../../support/side-door.ts';
import { FAULT_RESOURCES } from '../cluster/tables.ts';
import type { Ending } from './ending.ts';
import type { Endpoint, Told } from './endpoint.ts';
import type { KeyOf } from './keys.ts';

const STATEMENT_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 1_000;
const CONNECTIONS = 12;

/** What it does to its row; the row keeps its mark. */
export interface OwnChange {
  /** The number that it puts; null: it adds 1. */
  n: number | null;
  mark: string;
}

/** What happens to the caller between its call of `lockstep_guard` and its commit. */
export type Mishap = 'none' | 'rolls-back' | 'connection-cut' | 'dies';

export interface OwnTransactionEnd {
  /** As its caller knows it. `dead`: nobody is left to know anything. */
  state: 'committed' | 'not-committed' | 'unknown' | 'dead';
  /** The number that the row has then; null where the caller does not know. */
  n: number | null;
}

export class OwnTransactions {
  readonly #pool: pg.Pool;
  readonly #behind: Pick<SideDoor, 'sql'>;

  /** @param behind cuts connections, as an administrator does */
  constructor(databaseUrl: string, behind: Pick<SideDoor, 'sql'>) {
    this.#behind = behind;
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: STATEMENT_TIMEOUT_MS,
      max: CONNECTIONS,
    });
    this.#pool.on('error', () => undefined); // an idle connection was cut: the pool opens another
  }

  /** Never rejects. */
  async run(
    key: KeyOf,
    fence: number,
    change: OwnChange,
    mishap: Mishap,
  ): Promise<OwnTransactionEnd> {
    let connection: pg.PoolClient;
    try {
      connection = await this.#pool.connect();
    } catch {
      return { state: 'not-committed', n: null };
    }
    connection.on('error', ignore);
    let isWhole = false;
    try {
      const end = await this.#transaction(connection, { key, fence, change, mishap });
      isWhole = end.state !== 'dead';
      return end;
    } catch {
      // A statement before the commit failed: the commit was not sent.
      return { state: 'not-committed', n: null };
    } finally {
      connection.off('error', ignore);
      // A connection in an unknown state is closed, and the database rolls back what is open on it.
      connection.release(!isWhole);
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #transaction(
    connection: pg.PoolClient,
    {
      key,
      fence,
      change,
      mishap,
    }: { key: KeyOf; fence: number; change: OwnChange; mishap: Mishap },
  ): Promise<OwnTransactionEnd> {
    await connection.query('begin');
    await connection.query('select lockstep_guard($1, $2, $3)', [
      key.resource,
      fence,
      String(key.id),
    ]);
    const n = await changeRow(connection, key, change);
    if (mishap === 'dies') return { state: 'dead', n };
    if (mishap === 'connection-cut') await this.#cut(connection);
    if (mishap === 'rolls-back' || n === null) {
      await connection.query('rollback');
      return { state: 'not-committed', n };
    }
    try {
      await connection.query('commit');
      return { state: 'committed', n };
    } catch {
      return { state: 'unknown', n };
    }
  }

  async #cut(connection: pg.PoolClient): Promise<void> {
    const { rows } = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
    await this.#behind.sql('select pg_terminate_backend(?::int)', [String(rows[0]?.pid)]);
  }
}

const ignore = (): void => undefined; // the statement that fails tells

/** @returns the row's number; null where there is no row to add to */
async function changeRow(
  connection: pg.PoolClient,
  { resource, id }: KeyOf,
  { n, mark }: OwnChange,
): Promise<number | null> {
  const { table } = FAULT_RESOURCES[resource];
  const { rows } = await (n === null
    ? connection.query<{ n: string }>(
        `update ${table} set n = n + 1, writer = $2 where id = $1 returning n`,
        [id, mark],
      )
    : connection.query<{ n: string }>(
        `insert into ${table} (id, n, writer) values ($1, $3, $2)
         on conflict (id) do update set n = excluded.n, writer = excluded.writer returning n`,
        [id, mark, n],
      ));
  const [row] = rows;
  return row === undefined ? null : Number(row.n);
}

/** Takes a guard. @returns null if it was not granted */
export async function takeGuard(
  endpoint: Endpoint,
  { resource, id }: KeyOf,
  ttlMs: number,
): Promise<{ id: string; fence: number } | null> {
  const body = { keys: [{ resource, key: id }], ttl: ttlMs };
  const told = await endpoint.tell('POST', '/v1/guards', body);
  if (told.status !== 201) return null;
  const [first] = Array.isArray(told.body['keys']) ? told.body['keys'] : [];
  const fence = isJsonObject(first) ? Number(first['fence']) : Number.NaN;
  return { id: String(told.body['id']), fence };
}

/** Tells what became of the transaction, and answers what the coordinator says of it. */
export async function tellGuard(
  endpoint: Endpoint,
  guard: string,
  { state, n }: OwnTransactionEnd,
): Promise<Ending> {
  const what = state === 'committed' ? 'commit' : 'rollback';
  const told = await endpoint.tell('POST', `/v1/guards/${guard}/${what}`);
  const { status, body } = told;
  const code = typeof body['code'] === 'string' ? body['code'] : `HTTP_${status}`;
  if (status === 204) return { e: 'fail', code: 'ROLLED_BACK' };
  const isApplied = status === 200 || (code === 'GUARD_LOST' && body['outcome'] === 'applied');
  if (isApplied) {
    // Nobody but the transaction knows the number, and it may have died before it did.
    if (n === null) return { e: 'unknown', code };
    return { e: 'ok', answer: { value: n, ...versionIn(told) } };
  }
  return code === 'GUARD_LOST' ? { e: 'fail', code } : { e: 'unknown', code };
}

function versionIn({ body }: Told): { version: number } | Record<string, never> {
  const [first] = Array.isArray(body['results']) ? body['results'] : [];
  return isJsonObject(first) ? { version: Number(first['version']) } : {};
}

const LATE_SHARE = 0.05;

/** When the caller begins its transaction after the guard was granted, in ms: mostly at once, sometimes too late. */
export const drawThinkMs = (random: SeededRandom, ttlMs: number): number =>
  random.chance(LATE_SHARE) ? ttlMs + random.between(0, ttlMs) : random.between(0, 5);
