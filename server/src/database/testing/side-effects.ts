import { expect } from 'vitest';
import type { Row } from '@lockstep/shared';
import { type Change, makeKey, type Key } from '../../domain/index.ts';
import { bindResources, type ResourceConfig } from '../configuration/bind-resources.ts';
import type { RowTransactionResult, RowWrite, RowWriteResult } from '../port.ts';
import type { TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

/** A table made for one test, as a resource, with the writes and reads that the test does. */
export interface SideEffectTable {
  key: (...parts: (string | number)[]) => Key;
  write: (key: Key, change: Change, rest?: Partial<RowWrite>) => Promise<RowWriteResult>;
  together: (...writes: [Key, Change][]) => Promise<RowTransactionResult>;
  /** The row as a read finds it. */
  row: (key: Key) => Promise<Row | null>;
}

/** Runs the statements and binds `name` as a resource of its own. */
export async function sideEffectTable(
  database: TestDatabase,
  name: string,
  statements: readonly string[],
  rest: Partial<ResourceConfig> = {},
): Promise<SideEffectTable> {
  for (const sql of statements) await database.execute(sql);
  const keys = (rest.key ?? ['id']).map((part) => `{${part}}`).join(':');
  const bound = await bindResources(
    [
      config({
        name,
        table: name,
        cacheKey: `${name}:${keys}`,
        policy: 'delete-after-write',
        ...rest,
      }),
    ],
    database.catalog,
  );
  const [resource] = bound.resources;
  expect(bound.faults).toEqual([]);
  if (resource === undefined) throw new Error('not bound');
  return {
    key: (...parts) => makeKey(resource, parts.map(String)),
    write: (key, change, others = {}) =>
      database.rows.write({ key, change, outbox: true, ...others }),
    together: (...writes) =>
      database.rows.writeTogether({
        writes: writes.map(([key, change]) => ({ key, change, outbox: true })),
      }),
    row: async (key) => (await database.rows.read(key)).row,
  };
}
