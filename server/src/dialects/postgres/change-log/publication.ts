/** The publication: whose changes the log contains. Lockstep creates it if it may; otherwise an administrator does. */
import {
  quoteName,
  renderStatement,
  type SqlRunner,
  type SqlTexts,
} from '../../../database/index.ts';
import { LockstepError } from '../../../domain/index.ts';
import type { TableFault } from '../../../changelog/port.ts';
import { KEYS_TABLE } from '../../../changelog/table-changes.ts';
import type { FollowedTable, FollowedTables } from './followed-tables.ts';
import { SQL } from './statements.ts';
import { POSTGRES } from '../spelling.ts';

/** The columns that show which key was written. */
const KEYS_COLUMNS = '(resource, key, version)';
/** Stands for Lockstep's own table of keys while that table does not exist. */
const KEYS_TO_COME = { name: KEYS_TABLE, oid: 0, schema: '', relation: KEYS_TABLE, isOwn: false };

interface Publication {
  name: string;
  isThere: boolean;
  /** The wanted tables that it lacks and that this account may add. */
  addable: FollowedTable[];
  /** The wanted tables that it lacks and that only an administrator may add. */
  forOthers: FollowedTable[];
  /** The faults of wanted tables that it contains only in part. */
  faults: TableFault[];
}

/**
 * Creates the publication, or adds the tables that it lacks, as far as this account may.
 * @returns `added`: the tables that were added to an existing publication, changes of which may have been missed;
 * `faults`: the tables that it still lacks
 * @throws LockstepError `INVALID` if there is no publication and this account may not create it
 */
export async function publish(
  sql: SqlRunner,
  name: string,
  found: FollowedTables,
): Promise<{ added: FollowedTable[]; faults: TableFault[] }> {
  const publication = await look(sql, name, found);
  const { isThere, addable } = publication;
  const { absent, tables: faults } = faultsOf(publication);
  if (absent !== null) throw new LockstepError('INVALID', absent);
  if (addable.length === 0) return { added: [], faults };
  const template = isThere ? SQL['add-to-publication'] : SQL['create-publication'];
  await sql.run(rendered(template, name, addable));
  return { added: isThere ? addable : [], faults };
}

interface PublicationFaults {
  /** Why there is no publication and `publish` could not create it; null if there is one, or it could. */
  absent: string | null;
  /** The faults of tables that the publication lacks or contains only in part, where `publish` cannot help. */
  tables: TableFault[];
}

/** Changes nothing. */
export async function publicationFaults(
  sql: SqlRunner,
  name: string,
  found: FollowedTables,
): Promise<PublicationFaults> {
  return faultsOf(await look(sql, name, found));
}

/** The statement by which an administrator publishes every missing table; null if none is missing. */
export async function publicationStatement(
  sql: SqlRunner,
  name: string,
  found: FollowedTables,
): Promise<string | null> {
  const all = { ...found, keys: found.keys ?? KEYS_TO_COME };
  const { isThere, addable, forOthers } = await look(sql, name, all);
  const missing = [...addable, ...forOthers];
  if (isThere && missing.length === 0) return null;
  const template = isThere ? SQL['add-to-publication'] : SQL['create-publication'];
  return rendered(template, name, missing)['pg'] ?? null;
}

async function look(
  sql: SqlRunner,
  name: string,
  { keys, tables }: FollowedTables,
): Promise<Publication> {
  const [row = {}] = (await sql.run(SQL['read-publication'], { publication: name })).rows;
  const isThere = row.is_there === 't';
  if (isThere && row.publishes_all !== 't') {
    throw new LockstepError(
      'INVALID',
      `The publication ${name} leaves out operations; allowed: insert, update, delete and truncate.`,
    );
  }
  const listed = JSON.parse(row.tables ?? '[]') as [string, string, boolean][];
  const there = new Map(
    listed.map(([schema, relation, isFiltered]) => [placeOf({ schema, relation }), isFiltered]),
  );
  const wanted = [...(keys === null ? [] : [keys]), ...tables];
  const missing = wanted.filter((table) => !there.has(placeOf(table)));
  const mayMake = row.may_create === 't' && missing.every(({ isOwn }) => isOwn);
  const mayAdd = ({ isOwn }: FollowedTable): boolean =>
    isThere ? row.is_owner === 't' && isOwn : mayMake;
  return {
    ...{ name, isThere },
    addable: missing.filter(mayAdd),
    forOthers: missing.filter((table) => !mayAdd(table)),
    faults: wanted
      .filter((table) => there.get(placeOf(table)) === true)
      .map((table) => ({
        table: table.name,
        message: `the publication ${name} has a filter for its rows; allowed: all rows`,
        isFollowed: false,
      })),
  };
}

function faultsOf({ name, isThere, forOthers, faults }: Publication): PublicationFaults {
  if (!isThere && forOthers.length > 0) {
    const absent = `there is no publication ${name} and the role may not make it; allowed: create on the database and the ownership of the tables, or a publication made by an administrator`;
    return { absent, tables: [] };
  }
  const missing = forOthers.map((table): TableFault => {
    const mend = rendered(SQL['add-to-publication'], name, [table])['pg'];
    const message = `is not in the publication ${name}, and the role may not add it, so that its changes are not noticed; allowed: ${mend}, by an administrator`;
    return { table: table.name, message, isFollowed: false };
  });
  return { absent: null, tables: [...faults, ...missing] };
}

const placeOf = ({ schema, relation }: Pick<FollowedTable, 'schema' | 'relation'>): string =>
  JSON.stringify([schema, relation]);

function rendered(
  template: SqlTexts,
  publication: string,
  tables: readonly FollowedTable[],
): SqlTexts {
  const listed = tables.map(({ name, schema, relation }) => {
    const parts = schema === '' ? [relation] : [schema, relation];
    const quoted = parts.map((part) => quoteName(POSTGRES, part)).join('.');
    return name === KEYS_TABLE ? `${quoted} ${KEYS_COLUMNS}` : quoted;
  });
  return renderStatement(template, {
    publication: quoteName(POSTGRES, publication),
    tables: [...new Set(listed)].join(', '),
  });
}
