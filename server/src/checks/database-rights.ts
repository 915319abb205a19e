/** Finds the rights that the account lacks, each with the grant that gives it. */
import type { FieldFault } from '@lockstep/shared';
import type { SqlRunner } from '../database/index.ts';
import {
  merged,
  type MissingRight,
  type NamedRights,
  ownTableRights,
  resourceRights,
  type TableRights,
  type Verb,
} from '../rights/index.ts';
import type { CheckResult } from './check-result.ts';
import type { DatabaseUnderCheck, ServerFacts } from './database-under-check.ts';
import type { MigrationState } from './migration-state.ts';

/**
 * A resource that cannot be read is a fault. One that can be read but not written is only a warning: its writes answer
 * `FORBIDDEN_BY_DATABASE`, which the administrator may want.
 */
export async function checkRights(
  { path, config, database, server, resources }: DatabaseUnderCheck,
  state: MigrationState,
): Promise<Partial<CheckResult>> {
  const { sql } = database;
  const needed = resourceRights(sql.dialect, resources);
  const missing = await missingRights(sql, merged(needed));
  const lines = missing.flatMap((right) => needed.flatMap((each) => lineOf(server, right, each)));
  const once = [...new Map(lines.map((line) => [JSON.stringify(line), line])).values()];
  const own =
    state.pending.length > 0
      ? await migratingFaults(sql, server, path, state)
      : await ownTableFaults(sql, server, path, config.changeLog.mode === 'on');
  return {
    faults: [...once.filter(({ isFault }) => isFault).map(({ line }) => line), ...own],
    warnings: once.filter(({ isFault }) => !isFault).map(({ line }) => line),
  };
}

/** The line about a missing right, for one of the fields that need it. */
function lineOf(
  server: ServerFacts,
  { table, verb }: MissingRight,
  needed: NamedRights,
): { isFault: boolean; line: FieldFault }[] {
  if (needed.table !== table || !needed.verbs.includes(verb)) return [];
  const { path, kind } = needed;
  const allowed = grant(server, [verb], table);
  const line = (isFault: boolean, message: string): { isFault: boolean; line: FieldFault }[] => [
    { isFault, line: { path, message } },
  ];
  if (kind === 'cascade') {
    return line(
      false,
      `changes rows of ${table} by a foreign key, and the account lacks ${verb} on that table: such writes will answer 403; if that is not wanted: ${allowed}`,
    );
  }
  if (kind === 'query')
    return line(true, `reads ${table}, which this account may not; allowed: ${allowed}`);
  if (verb === 'trigger') {
    return line(
      false,
      `may have triggers that this account is not shown (TRIGGER is missing): what they change would not be answered; if it has any: ${allowed}`,
    );
  }
  if (verb === 'select') return line(true, `may not be read by this account; allowed: ${allowed}`);
  return line(
    false,
    `may not be written with ${verb} by this account: such writes will answer 403; if that is not wanted: ${allowed}`,
  );
}

async function ownTableFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  followsLog: boolean,
): Promise<FieldFault[]> {
  const needed = ownTableRights(sql.dialect, followsLog);
  const missing = await missingRights(sql, needed);
  return needed.flatMap(({ table }) => {
    const verbs = missing.filter((right) => right.table === table).map(({ verb }) => verb);
    if (verbs.length === 0) return [];
    const message = `the account lacks ${verbs.join(', ')} on ${table}, a table of Lockstep’s own; allowed: ${grant(server, verbs, table)}`;
    return [{ path, message }];
  });
}

async function migratingFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  { pending, tables }: MigrationState,
): Promise<FieldFault[]> {
  const why = await sql.dialect.rights.migrating(sql, server, tables);
  if (why === null) return [];
  const { reason, mend } = why;
  const what = `${pending.length} migration(s) of Lockstep’s own tables are pending and ${reason}`;
  const message = `${what}; allowed: ${mend}, or lockstep migrate up by an account that may`;
  return [{ path, message }];
}

/** Which of the needed rights the account lacks. */
async function missingRights(
  sql: SqlRunner,
  needed: readonly TableRights[],
): Promise<MissingRight[]> {
  if (needed.length === 0) return [];
  const missing = await sql.dialect.rights.missing(sql, needed);
  return missing.filter(({ table, verb }) =>
    needed.some((each) => each.table === table && each.verbs.includes(verb)),
  );
}

const grant = ({ grantee }: ServerFacts, verbs: readonly Verb[], table: string): string =>
  `grant ${verbs.join(', ')} on ${table} to ${grantee}`;
