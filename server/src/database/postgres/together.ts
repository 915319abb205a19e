import { mayCascade, type Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawResult, sendSql } from '../connections/driver.ts';
import { fireDeferred } from './observed-write.ts';
import { nameSql, type NamedSql } from './names.ts';
import { SQL } from './sql-texts.ts';
import type { SqlBindings } from '../statements/sql.ts';
import type { TogetherSteps } from '../write/together-flow.ts';

const ADD_KEYS = nameSql(SQL.keys['add-keys']);
const LOCK_KEYS = nameSql(SQL.keys['lock-keys']);
const STORE_FENCES = nameSql(SQL.keys['store-fences']);
const REMEMBER = nameSql(SQL.outcomes.add);

/** The steps of a transaction of several writes on PostgreSQL. */
export function pgTogetherSteps(
  steps: Pick<TogetherSteps, 'attempt' | 'make' | 'read'>,
): Omit<TogetherSteps, 'outcomes'> {
  return {
    ...steps,
    areObserved: (writes) =>
      writes.some(
        ({ key: { resource }, change }) =>
          resource.sideEffects !== undefined || mayCascade(resource, change),
      ),
    fireDeferred,
    async lockKeys(session, keys) {
      await run(session, ADD_KEYS, listBindings(keys));
      const { rows } = await run(session, LOCK_KEYS, listBindings(keys));
      const lockedKeys = new Map(
        rows.map(([resource, key, version, fence]) => [
          nameOf(String(resource), String(key)),
          { version: Number(version), fence: Number(fence) },
        ]),
      );
      return keys.map(
        (key) => lockedKeys.get(nameOf(key.rows, key.rowText)) ?? { version: 0, fence: 0 },
      );
    },
    async storeFences(session, writes) {
      if (writes.length === 0) return;
      const keys = writes.map(({ key }) => key);
      const fences = writes.map(({ fence }) => String(fence));
      await run(session, STORE_FENCES, { ...listBindings(keys), fences });
    },
    async remember(session, key, outcome) {
      await run(session, REMEMBER, { ...nameBindings(key), ...outcome });
    },
  };
}

const run = (session: Session, sql: NamedSql, bindings: SqlBindings): Promise<RawResult> =>
  session.run(sendSql(sql, bindings));

const nameBindings = ({ rows, rowText }: Key): { resource: string; key: string } => ({
  resource: rows,
  key: rowText,
});

const listBindings = (keys: readonly Key[]): { resources: string[]; keys: string[] } => ({
  resources: keys.map(({ rows }) => rows),
  keys: keys.map(({ rowText }) => rowText),
});

/** No resource's name holds a slash. */
const nameOf = (resource: string, key: string): string => `${resource}/${key}`;
