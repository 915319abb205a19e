import { parseJson } from '@lockstep/shared';
import { readStatements, type SqlRow, type SqlRunner, type SqlSession } from '../database/index.ts';
import type { CallStore, InvalidationCall, Postponement } from './port.ts';

const SQL = readStatements({ name: 'calls' }, [
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
        for (const alike of groupsOf(items)) await postpone(session, alike);
      });
    },
  };
}

/** Calls to which the same happens. */
interface Alike {
  ids: string[];
  item: Postponement;
}

/** Many calls of one moment name the same rows or the same unknown resource: one statement takes them all. */
function groupsOf(items: readonly Postponement[]): Alike[] {
  const groups = new Map<string, Alike>();
  for (const item of items) {
    const name = JSON.stringify({ ...item, id: '' });
    const group = groups.get(name) ?? { ids: [], item };
    group.ids.push(item.id);
    groups.set(name, group);
  }
  return [...groups.values()];
}

async function postpone(session: SqlSession, { ids, item }: Alike): Promise<void> {
  const error = item.error?.slice(0, MAX_ERROR_LENGTH) ?? null;
  if (item.kind === 'dead') {
    await session.run(SQL['add-dead-letter'], { ids, error });
    await session.run(SQL.delete, { ids });
    return;
  }
  await session.run(SQL.postpone, {
    ids,
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
    changes: parseJson(row.changes ?? 'null'),
    attempts: Number(row.attempts),
    ageMs: Math.max(0, Number(row.age_ms)),
  };
}
