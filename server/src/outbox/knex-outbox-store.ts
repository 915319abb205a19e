import { type DeadLetter, parseJson } from '@lockstep/shared';
import {
  readStoredRow,
  type SqlRow,
  type SqlRunner,
  type SqlSession,
  type SqlStatement,
  type StoredColumns,
  type StoredRow,
} from '../database/index.ts';
import type { AskedInvalidation, OutboxRow, OutboxStore, OutboxVerdict } from './port.ts';
import discard from './sql/discard.sql?raw';
import mysqlAppend from './sql/mysql/append.sql?raw';
import mysqlBury from './sql/mysql/bury.sql?raw';
import mysqlDeadLetters from './sql/mysql/dead-letters.sql?raw';
import mysqlDelay from './sql/mysql/delay.sql?raw';
import mysqlDepth from './sql/mysql/depth.sql?raw';
import mysqlHold from './sql/mysql/hold.sql?raw';
import mysqlRemove from './sql/mysql/remove.sql?raw';
import mysqlRevive from './sql/mysql/revive.sql?raw';
import mysqlTake from './sql/mysql/take.sql?raw';
import pgAppend from './sql/pg/append.sql?raw';
import pgBury from './sql/pg/bury.sql?raw';
import pgDeadLetters from './sql/pg/dead-letters.sql?raw';
import pgDelay from './sql/pg/delay.sql?raw';
import pgDepth from './sql/pg/depth.sql?raw';
import pgRemove from './sql/pg/remove.sql?raw';
import pgRevive from './sql/pg/revive.sql?raw';
import pgTake from './sql/pg/take.sql?raw';

const APPEND: SqlStatement = { pg: pgAppend, mysql2: mysqlAppend };
const BURY: SqlStatement = { pg: pgBury, mysql2: mysqlBury };
const DEAD_LETTERS: SqlStatement = { pg: pgDeadLetters, mysql2: mysqlDeadLetters };
const DELAY: SqlStatement = { pg: pgDelay, mysql2: mysqlDelay };
const DEPTH: SqlStatement = { pg: pgDepth, mysql2: mysqlDepth };
const DISCARD: SqlStatement = { pg: discard, mysql2: discard };
const HOLD: SqlStatement = { pg: '', mysql2: mysqlHold };
const REMOVE: SqlStatement = { pg: pgRemove, mysql2: mysqlRemove };
const REVIVE: SqlStatement = { pg: pgRevive, mysql2: mysqlRevive };
const TAKE: SqlStatement = { pg: pgTake, mysql2: mysqlTake };

/** Most rows of one statement. */
const BATCH = 1000;
/** Rows beyond this are not counted: a count reads them all. */
const DEPTH_BOUND = 100_000;
const MAX_ERROR_LENGTH = 1000;

/**
 * The outbox in the database. Delivery is at least once: rows stay until their verdict is committed, and a relay that
 * dies on the way gives them back to the others.
 */
export function createOutboxStore({ sql }: { sql: SqlRunner }): OutboxStore {
  return {
    append: (items) => append(sql, items),
    remove: (ids) => remove(sql, ids),

    take: (limit, graceMs, deliver) =>
      sql.transaction(async (session) => {
        const { rows } = await session.run(TAKE, { limit, grace_ms: graceMs });
        if (rows.length === 0) return 0;
        const verdicts = await deliver(rows.map(toOutboxRow));
        await settle(session, verdicts, new Set(rows.map((row) => row.id ?? '')));
        return rows.length;
      }),

    async depth() {
      const { rows } = await sql.run(DEPTH, { bound: DEPTH_BOUND });
      const [row] = rows;
      const oldestMs = row?.oldest_ms ?? null;
      return {
        depth: Number(row?.depth),
        oldestMs: oldestMs === null ? null : Number(oldestMs),
        deadLetters: Number(row?.dead_letters),
      };
    },

    async deadLetters(limit) {
      const { rows } = await sql.run(DEAD_LETTERS, { limit });
      return rows.map(toDeadLetter);
    },

    retryDeadLetter: async (id) =>
      isId(id) &&
      (await sql.transaction(async (session) => {
        const { affected } = await session.run(REVIVE, { id: BigInt(id) });
        if (affected === 0) return false;
        await session.run(DISCARD, { id: BigInt(id) });
        return true;
      })),

    discardDeadLetter: async (id) =>
      isId(id) && (await sql.run(DISCARD, { id: BigInt(id) })).affected > 0,
  };
}

async function append(sql: SqlRunner, items: readonly AskedInvalidation[]): Promise<void> {
  if (items.length === 0) return;
  const rows = items.map((item) =>
    'cacheKey' in item
      ? { resource: '', key: '', cache_key: item.cacheKey }
      : { resource: item.resource, key: item.keyText, cache_key: null },
  );
  await sql.run(APPEND, { items: JSON.stringify(rows) });
}

async function remove(sql: SqlRunner, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH).map(BigInt);
    if (sql.client === 'pg') {
      await sql.run(REMOVE, { ids: batch });
      continue;
    }
    await sql.transaction(async (session) => {
      const { rows } = await session.run(HOLD, { ids: batch });
      const held = rows.map((row) => BigInt(row.id ?? 0));
      if (held.length > 0) await session.run(REMOVE, { ids: held });
    });
  }
}

async function settle(
  session: SqlSession,
  verdicts: readonly OutboxVerdict[],
  taken: ReadonlySet<string>,
): Promise<void> {
  const finished: bigint[] = [];
  for (const verdict of verdicts) {
    if (!taken.has(verdict.id)) continue;
    const id = BigInt(verdict.id);
    if (verdict.verdict === 'retry') {
      await session.run(DELAY, {
        id,
        delay_ms: Math.max(0, Math.round(verdict.delayMs)),
        counted: verdict.counted ? 1 : 0,
        error: verdict.error.slice(0, MAX_ERROR_LENGTH),
      });
      continue;
    }
    if (verdict.verdict === 'dead') {
      await session.run(BURY, { id, error: verdict.error.slice(0, MAX_ERROR_LENGTH) });
    }
    finished.push(id);
  }
  if (finished.length > 0) await session.run(REMOVE, { ids: finished });
}

function toOutboxRow(row: SqlRow): OutboxRow {
  const related = parseJson(row.related ?? 'null') as unknown as {
    columns?: StoredColumns;
    before: StoredRow;
    after: StoredRow;
  } | null;
  return {
    id: row.id ?? '',
    resource: row.resource ?? '',
    keyText: row.key ?? '',
    version: row.version === null ? null : Number(row.version),
    bareCacheKey: row.cache_key ?? null,
    related: {
      before: related && readStoredRow(related.before, related.columns),
      after: related && readStoredRow(related.after, related.columns),
    },
    attempts: Number(row.attempts),
    ageMs: Math.max(0, Number(row.age_ms)),
  };
}

function toDeadLetter(row: SqlRow): DeadLetter {
  return {
    id: row.id ?? '',
    resource: row.resource ?? '',
    key: row.cache_key ?? row.key ?? '',
    version: Number(row.version ?? 0),
    attempts: Number(row.attempts),
    createdAtMs: Number(row.created_at_ms),
    error: row.error ?? '',
  };
}

const isId = (id: string): boolean => /^\d{1,18}$/.test(id);
