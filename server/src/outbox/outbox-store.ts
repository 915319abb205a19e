import { type DeadLetter, parseJson } from '@lockstep/shared';
import {
  readStoredRow,
  type SqlRow,
  type SqlRunner,
  type SqlSession,
  type StoredColumns,
  type StoredRow,
  readStatements,
  hasStatement,
} from '../database/index.ts';
import type { AskedInvalidation, OutboxRow, OutboxStore, OutboxDecision } from './port.ts';
import sharedSql from './sql/outbox.sql?raw';

const SQL = readStatements(
  { name: 'outbox', shared: sharedSql },
  [
    'append',
    'lock-batch',
    'postpone',
    'delete',
    'left-of',
    'depth',
    'add-dead-letter',
    'list-dead-letters',
    'retry-dead-letter',
    'retry-called',
    'delete-dead-letter',
  ],
  ['lock'],
);

/** The most rows in one statement. */
const BATCH = 1000;
/** At most so many rows are counted, because counting reads every row. */
const DEPTH_BOUND = 100_000;
const MAX_ERROR_LENGTH = 1000;

/**
 * The outbox in the database. Delivery is at least once: rows stay until their decision is committed, and a relay that
 * dies on the way gives them back to the others.
 */
export function createOutboxStore({ sql }: { sql: SqlRunner }): OutboxStore {
  return {
    append: (items) => append(sql, items),
    remove: (ids) => remove(sql, ids),

    take: (limit, graceMs, deliver) =>
      sql.transaction(async (session) => {
        const { rows } = await session.run(SQL['lock-batch'], { limit, grace_ms: graceMs });
        if (rows.length === 0) return 0;
        const decisions = await deliver(rows.map(toOutboxRow));
        await storeDecisions(session, decisions, new Set(rows.map((row) => row.id ?? '')));
        return rows.length;
      }),

    async leftOf({ resource, keyText, fromVersion }, limit) {
      const asked = { resource, key: keyText, from_version: BigInt(fromVersion), limit };
      const { rows } = await sql.run(SQL['left-of'], asked);
      const isDead = (row: SqlRow): boolean => Number(row.is_dead) === 1;
      return {
        rows: rows.filter((row) => !isDead(row)).map(toOutboxRow),
        hasDeadLetters: rows.some(isDead),
      };
    },

    async depth() {
      const { rows } = await sql.run(SQL.depth, { bound: DEPTH_BOUND });
      const [row] = rows;
      const oldestMs = row?.oldest_ms ?? null;
      return {
        depth: Number(row?.depth),
        oldestMs: oldestMs === null ? null : Number(oldestMs),
        deadLetters: Number(row?.dead_letters),
      };
    },

    async deadLetters(limit) {
      const { rows } = await sql.run(SQL['list-dead-letters'], { limit });
      return rows.map(toDeadLetter);
    },

    retryDeadLetter: async (id) =>
      isId(id) &&
      (await sql.transaction(async (session) => {
        const letter = { id: BigInt(id) };
        const { affected } = await session.run(SQL['retry-dead-letter'], letter);
        const called = affected > 0 ? 0 : (await session.run(SQL['retry-called'], letter)).affected;
        if (affected + called === 0) return false;
        await session.run(SQL['delete-dead-letter'], letter);
        return true;
      })),

    discardDeadLetter: async (id) =>
      isId(id) && (await sql.run(SQL['delete-dead-letter'], { id: BigInt(id) })).affected > 0,
  };
}

async function append(sql: SqlRunner, items: readonly AskedInvalidation[]): Promise<void> {
  if (items.length === 0) return;
  const rows = items.map((item) =>
    'cacheKey' in item
      ? { resource: '', key: '', cache_key: item.cacheKey }
      : { resource: item.resource, key: item.keyText, cache_key: null },
  );
  await sql.run(SQL.append, { items: JSON.stringify(rows) });
}

async function remove(sql: SqlRunner, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH).map(BigInt);
    if (!hasStatement(sql, SQL.lock)) {
      await sql.run(SQL.delete, { ids: batch });
      continue;
    }
    await sql.transaction(async (session) => {
      const { rows } = await session.run(SQL.lock, { ids: batch });
      const held = rows.map((row) => BigInt(row.id ?? 0));
      if (held.length > 0) await session.run(SQL.delete, { ids: held });
    });
  }
}

async function storeDecisions(
  session: SqlSession,
  decisions: readonly OutboxDecision[],
  taken: ReadonlySet<string>,
): Promise<void> {
  const finished: bigint[] = [];
  for (const decided of decisions) {
    if (!taken.has(decided.id)) continue;
    const id = BigInt(decided.id);
    if (decided.decision === 'retry' || decided.decision === 'left') {
      await session.run(SQL.postpone, {
        id,
        delay_ms: Math.max(0, Math.round(decided.delayMs)),
        counted: decided.decision === 'retry' && decided.counted ? 1 : 0,
        error: decided.error.slice(0, MAX_ERROR_LENGTH),
      });
      continue;
    }
    if (decided.decision === 'dead') {
      await session.run(SQL['add-dead-letter'], {
        id,
        error: decided.error.slice(0, MAX_ERROR_LENGTH),
      });
    }
    finished.push(id);
  }
  if (finished.length > 0) await session.run(SQL.delete, { ids: finished });
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
