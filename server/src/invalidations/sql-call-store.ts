import { parseJson } from '@lockstep/shared';
import { readStatements, type SqlRow, type SqlRunner, type SqlSession } from '../database/index.ts';
import type { CallStore, InvalidationCall, Postponement } from './port.ts';
import mysqlSql from './sql/calls.mysql.sql?raw';
import pgSql from './sql/calls.pg.sql?raw';

const SQL = readStatements({ pg: pgSql, mysql2: mysqlSql }, [
  'list-due',
  'list-left',
  'delete',
  'postpone',
  'add-dead-letter',
]);

const MAX_ERROR_LENGTH = 1000;

/** The calls of `lockstep_invalidate`, in the database. */
export function createCallStore({ sql }: { sql: SqlRunner }): CallStore {
  return {
    due: async (limit) => (await sql.run(SQL['list-due'], { limit })).rows.map(toCall),
    left: async (limit, graceMs) =>
      (await sql.run(SQL['list-left'], { limit, grace_ms: graceMs })).rows.map(toCall),
    remove: async (ids) => {
      if (ids.length > 0) await sql.run(SQL.delete, { ids });
    },
    postpone: async (items) => {
      if (items.length === 0) return;
      await sql.transaction(async (session) => {
        for (const item of items) await postpone(session, item);
      });
    },
  };
}

async function postpone(session: SqlSession, item: Postponement): Promise<void> {
  const error = item.error?.slice(0, MAX_ERROR_LENGTH) ?? null;
  if (item.kind === 'dead') {
    await session.run(SQL['add-dead-letter'], { id: item.id, error });
    await session.run(SQL.delete, { ids: [item.id] });
    return;
  }
  await session.run(SQL.postpone, {
    id: item.id,
    delay_ms: Math.max(0, Math.round(item.delayMs)),
    counted: item.kind === 'retry' && item.counted ? 1 : 0,
    is_unknown: item.kind === 'unknown' ? 1 : 0,
    error,
  });
}

function toCall(row: SqlRow): InvalidationCall {
  const parts = parseJson(row.key ?? 'null');
  return {
    id: row.id ?? '',
    resource: row.resource ?? '',
    parts: Array.isArray(parts) ? parts : [null],
    attempts: Number(row.attempts),
    ageMs: Math.max(0, Number(row.age_ms)),
  };
}
