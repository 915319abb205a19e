/**
 * Rows in plain JSON that another program wrote, with each value in the form that Lockstep has for it: another program
 * may write `1.5` for the decimal `"1.50"`, or a number as text. Pure.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import { type Column, columnOf, parseValue, type Resource } from '../domain/index.ts';

/** The row's columns in one form; what cannot be read by its type stays as it is. */
export function inOneForm({ columns }: Resource, row: Row | null): Row | null {
  if (row === null) return null;
  const entries = columns.flatMap((column) => {
    const value = columnOf(row, column.name);
    return value === undefined ? [] : [[column.name, oneForm(column, value)] as const];
  });
  return Object.fromEntries<JsonValue>(entries);
}

function oneForm(column: Column, value: JsonValue): JsonValue {
  const parsed = parseValue(column, value);
  if ('fault' in parsed) return value;
  const { value: form } = parsed;
  return column.type === 'decimal' && typeof form === 'string' && form.includes('.')
    ? form.replace(/\.?0+$/, '')
    : form;
}
