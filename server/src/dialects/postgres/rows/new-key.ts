/**
 * Keys of new rows on PostgreSQL. A default never depends on other columns there, and the numbers of a sequence are given
 * out once, so its value is evaluated before the row is written.
 */
import type { Column, NewRow } from '../../../domain/index.ts';
import type { Connections } from '../../../database/connections/connections.ts';
import type { NewKey } from '../../../database/port.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import { leftOut, newKeyOf } from '../../../database/write/new-key.ts';
import { keyType, quote, select } from './names.ts';

export async function makePgKey(connections: Connections, row: NewRow): Promise<NewKey> {
  const { evaluated } = leftOut(row);
  if (evaluated.length === 0) return newKeyOf(row, {});
  const text = evaluationSql(evaluated);
  const { rows } = await connections.use((session) => session.run({ text, values: [] }));
  return newKeyOf(row, decodeRow(evaluated, rows[0] ?? []));
}

const evaluationSql = (columns: readonly Column[]): string => {
  const values = columns.map(
    (column) => `(${column.defaultSql ?? 'null'})::${storedType(column)} as ${quote(column.name)}`,
  );
  const read = columns.map((column) => select('r', column));
  return `select ${read.join(', ')} from (select ${values.join(', ')}) as r`;
};

/** A cast to a type with a length would cut a text, which the insert then refuses. */
const storedType = (column: Column): string =>
  column.type === 'text' ? keyType(column) : column.sqlType;
