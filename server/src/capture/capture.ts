/**
 * Installs, examines and removes capture triggers.
 *
 * They belong to the tables' owners, so nothing but a command changes them. What they should be follows from the
 * configuration and the tables' columns; triggers that are otherwise count as outdated.
 */
import type { FieldFault } from '@lockstep/shared';
import { readStatements, type SqlRunner, type SqlSession } from '../database/index.ts';
import { LockstepError, type Resource } from '../domain/index.ts';
import { type CapturedTable, capturedTables } from './captured-tables.ts';
import type { CaptureDialect, FoundTable, WantedTriggers } from './dialect.ts';

declare module '../database/statements/sql.ts' {
  interface SqlDialect {
    readonly capture: CaptureDialect;
  }
}

const SQL = readStatements({ name: 'capture' }, ['ask-for-sweeps']);

/** The triggers of one table. */
export interface TableCapture {
  /** As the configuration names it. */
  table: string;
  /** The resources whose entries its changes make wrong. */
  resources: readonly string[];
  /** Those of them whose entries nothing but the triggers invalidates. */
  neededBy: readonly string[];
  state: 'installed' | 'missing' | 'outdated';
  /** Why they are outdated, or why they cannot be there; null otherwise. */
  reason: string | null;
  /** Changes that no trigger sees, in words. */
  unseen: readonly string[];
}

/** A table with what it should have. */
interface Examined {
  table: CapturedTable;
  capture: TableCapture;
  wanted: WantedTriggers | null;
}

/** What each table has. Changes nothing. */
export async function captureStatus(
  sql: SqlRunner,
  resources: readonly Resource[],
): Promise<TableCapture[]> {
  const examined = await examine(sql, resources);
  return examined.map(({ capture }) => capture);
}

/**
 * Installs what is missing or outdated, and has the entries of these resources swept: changes before it were not noted.
 * @param only names of resources; null: all
 * @returns the tables as they are then, with those that were changed
 * @throws LockstepError `INVALID` before Lockstep's own tables are migrated
 */
export async function installCapture(
  sql: SqlRunner,
  resources: readonly Resource[],
  only: readonly string[] | null,
): Promise<{ tables: TableCapture[]; changed: string[] }> {
  await placeOf(sql);
  const chosen = chosenOf(await examine(sql, resources), only);
  const changed: string[] = [];
  for (const { table, capture, wanted } of chosen) {
    if (wanted === null || capture.state === 'installed') continue;
    const names = capture.resources;
    await inSteps(sql, [...wanted.remove, ...wanted.create], (session) =>
      session.run(SQL['ask-for-sweeps'], { names: [...names] }),
    );
    changed.push(table.name);
  }
  const after = chosenOf(await examine(sql, resources), only);
  return { tables: after.map(({ capture }) => capture), changed };
}

/**
 * Removes every capture trigger of this Lockstep, also of tables that no resource names any more; or those of the tables
 * of the named resources.
 * @returns what was removed
 */
export async function uninstallCapture(
  sql: SqlRunner,
  resources: readonly Resource[],
  only: readonly string[] | null,
): Promise<string[]> {
  const dialect = sql.dialect.capture;
  const place = await placeOf(sql);
  const found =
    only === null
      ? await dialect.installed(sql, place)
      : chosenOf(await examine(sql, resources), only).flatMap(({ table, capture, wanted }) =>
          wanted === null || capture.state === 'missing'
            ? []
            : [{ name: table.name, remove: wanted.remove }],
        );
  for (const { remove } of found) await inSteps(sql, remove);
  return found.map(({ name }) => name);
}

/** What must be installed before the configuration can be served, and what should be known. */
export async function captureFaults(
  sql: SqlRunner,
  resources: readonly Resource[],
): Promise<{ faults: FieldFault[]; warnings: FieldFault[] }> {
  const faults: FieldFault[] = [];
  const warnings: FieldFault[] = [];
  for (const capture of await captureStatus(sql, resources)) {
    const [named = ''] = capture.neededBy.length > 0 ? capture.neededBy : capture.resources;
    const into = capture.neededBy.length > 0 ? faults : warnings;
    const path = `resources.${named}`;
    const wrong = wrongWith(capture);
    if (wrong !== null) into.push({ path, message: `${wrong}; allowed: lockstep capture install` });
    for (const unseen of capture.unseen) {
      const message = `${capture.table}: ${unseen}; allowed: no action on delete and update, or database.capture log`;
      into.push({ path, message });
    }
  }
  return { faults, warnings };
}

/** Null if nothing is wrong. */
function wrongWith({ table, state, reason }: TableCapture): string | null {
  switch (state) {
    case 'installed':
      return null;
    case 'missing':
      return `the capture triggers of ${table} are missing`;
    case 'outdated':
      return `the capture triggers of ${table} are out of date (${reason ?? 'unknown'})`;
  }
}

async function placeOf(sql: SqlRunner): Promise<string> {
  const place = await sql.dialect.capture.place(sql);
  if (place !== null) return place;
  throw new LockstepError(
    'INVALID',
    'The triggers write Lockstep’s own tables, which are not migrated yet: run lockstep migrate up first.',
  );
}

async function examine(sql: SqlRunner, resources: readonly Resource[]): Promise<Examined[]> {
  const dialect = sql.dialect.capture;
  const place = await dialect.place(sql);
  const examined: Examined[] = [];
  for (const table of capturedTables(resources)) {
    const found = await dialect.find(sql, table);
    const wanted = found === null || place === null ? null : dialect.wanted(table, found, place);
    const capture: TableCapture = {
      table: table.name,
      resources: [...new Set(table.parts.map(({ resource }) => resource))],
      neededBy: table.neededBy,
      unseen: found?.unseen ?? [],
      ...stateOf(found, wanted),
    };
    examined.push({ table, capture, wanted });
  }
  return examined;
}

function stateOf(
  found: FoundTable | null,
  wanted: WantedTriggers | null,
): Pick<TableCapture, 'state' | 'reason'> {
  if (found === null) return { state: 'missing', reason: 'there is no such table' };
  if (wanted === null)
    return { state: 'missing', reason: 'Lockstep’s own tables are not migrated yet' };
  const triggers = new Map(found.triggers.map((trigger) => [trigger.name, trigger]));
  const there = wanted.names.filter((name) => triggers.has(name));
  if (there.length === 0) return { state: 'missing', reason: null };
  const reason = (text: string): Pick<TableCapture, 'state' | 'reason'> => ({
    state: 'outdated',
    reason: text,
  });
  for (const name of wanted.names) {
    const trigger = triggers.get(name);
    if (trigger === undefined) return reason(`the trigger ${name} is missing`);
    if (!trigger.isEnabled) return reason(`the trigger ${name} is disabled`);
    if (!trigger.body.includes(`capture_${wanted.digest}`))
      return reason('the table’s columns or the configuration have changed');
  }
  return { state: 'installed', reason: null };
}

function chosenOf(examined: readonly Examined[], only: readonly string[] | null): Examined[] {
  return examined.filter(
    ({ capture }) => only === null || capture.resources.some((name) => only.includes(name)),
  );
}

/** All of it together where the database can do that. */
async function inSteps(
  sql: SqlRunner,
  statements: readonly string[],
  last?: (session: SqlSession) => Promise<unknown>,
): Promise<void> {
  const work = async (session: SqlSession): Promise<void> => {
    for (const text of statements) await session.run({ any: text });
    await last?.(session);
  };
  await (sql.dialect.capture.isTransactional ? sql.transaction(work) : sql.session(work));
}
