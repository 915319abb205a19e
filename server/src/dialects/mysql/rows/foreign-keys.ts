/**
 * The foreign keys by which the server itself changes rows, from the tables' own text. MariaDB's
 * `information_schema.referential_constraints` shows them only to accounts with a right on the whole database.
 */
import { type ForeignKeyAction, LockstepError } from '../../../domain/index.ts';
import { isOfSchema } from '../../../database/connections/statement-failure.ts';
import { quoteName, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlRunner } from '../../../database/statements/sql.ts';
import { SQL } from './sql-texts.ts';
import { MYSQL } from '../spelling.ts';

/** A table of MySQL or MariaDB, by its plain names. */
export interface TablePlace {
  database: string;
  relation: string;
}

export interface ActingForeignKey extends Pick<ForeignKeyAction, 'name' | 'onDelete' | 'onUpdate'> {
  parent: TablePlace;
  columns: { child: string; parent: string }[];
}

/** Null where the account may not see the table's text, for which it needs `select` on the table. */
export async function actingForeignKeys(
  sql: SqlRunner,
  { database, relation }: TablePlace,
): Promise<ActingForeignKey[] | null> {
  const table = [database, relation].map((part) => quoteName(MYSQL, part)).join('.');
  try {
    const shown = await sql.run({ mysql2: renderSql(SQL.catalog['show-create-table'], { table }) });
    return foreignKeysOf(shown.rows[0]?.['Create Table'] ?? '', database);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'FORBIDDEN_BY_DATABASE') return null;
    // It has been dropped meanwhile.
    if (isOfSchema(error)) return [];
    throw error;
  }
}

const NAME = '`(?:[^`]|``)+`';
const NAMES = `${NAME}(?:, ${NAME})*`;
/** A whole clause, or a text or name, in which none is looked for. */
const CLAUSE = new RegExp(
  `constraint (?<name>${NAME}) foreign key \\((?<child>${NAMES})\\) ` +
    `references (?:(?<database>${NAME})\\.)?(?<relation>${NAME}) \\((?<parent>${NAMES})\\)` +
    `(?: on delete (?<onDelete>cascade|set null|set default|restrict|no action))?` +
    `(?: on update (?<onUpdate>cascade|set null|set default|restrict|no action))?` +
    `|'(?:[^'\\\\]|''|\\\\.)*'|${NAME}`,
  'gis',
);

/** Those with an action. @param text as `show create table` has it @param database of the table */
export function foreignKeysOf(text: string, database: string): ActingForeignKey[] {
  return [...text.matchAll(CLAUSE)].flatMap(({ groups = {} }) => {
    const { name, relation, child = '', parent = '' } = groups;
    const onDelete = ON_DELETE[groups['onDelete']?.toLowerCase() ?? ''] ?? null;
    const onUpdate = ON_UPDATE[groups['onUpdate']?.toLowerCase() ?? ''] ?? null;
    if (name === undefined || relation === undefined) return [];
    if (onDelete === null && onUpdate === null) return [];
    const parents = namesIn(parent);
    const [own = database] = namesIn(groups['database'] ?? '');
    return {
      ...{ name: namesIn(name).join(), onDelete, onUpdate },
      parent: { database: own, relation: namesIn(relation).join() },
      columns: namesIn(child).map((each, at) => ({ child: each, parent: parents[at] ?? '' })),
    };
  });
}

const ON_DELETE: Partial<Record<string, ForeignKeyAction['onDelete']>> = {
  cascade: 'delete',
  'set null': 'null',
  'set default': 'default',
};
const ON_UPDATE: Partial<Record<string, ForeignKeyAction['onUpdate']>> = {
  cascade: 'follow',
  'set null': 'null',
  'set default': 'default',
};

const namesIn = (list: string): string[] =>
  [...list.matchAll(new RegExp(NAME, 'g'))].map(([quoted]) =>
    quoted.slice(1, -1).replaceAll('``', '`'),
  );
