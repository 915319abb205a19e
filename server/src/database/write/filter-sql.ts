/** The SQL of a filter on the row `r`, and the values of its placeholders (`:where_0`, `:where_1_2`). */
import type { JsonValue } from '@lockstep/shared';
import { type Column, COMPARISONS, type RowFilter } from '../../domain/index.ts';
import type { SqlValue } from '../statements/sql.ts';

/** How a dialect compares a column with a value. */
export interface FilterDialect {
  quote(name: string): string;
  /** The condition `r.column OPERATOR value`. */
  compare(column: Column, operator: string, placeholder: string): string;
  value(column: Column, value: JsonValue): SqlValue;
}

export const filterSql = (sql: FilterDialect, filter: RowFilter): string =>
  filter
    .map((condition, index) => {
      const { column } = condition;
      const name = `r.${sql.quote(column.name)}`;
      switch (condition.is) {
        case 'null':
          return `${name} is null`;
        case 'not-null':
          return `${name} is not null`;
        case '$in': {
          const any = condition.values.map((_, place) =>
            sql.compare(column, '=', `:where_${index}_${place}`),
          );
          return `(${any.join(' or ')})`;
        }
        default:
          return sql.compare(column, COMPARISONS[condition.is], `:where_${index}`);
      }
    })
    .join(' and ');

export function filterBindings(sql: FilterDialect, filter: RowFilter): Record<string, SqlValue> {
  const bindings: Record<string, SqlValue> = {};
  for (const [index, condition] of filter.entries()) {
    const { column } = condition;
    if ('value' in condition) bindings[`where_${index}`] = sql.value(column, condition.value);
    if (!('values' in condition)) continue;
    for (const [place, value] of condition.values.entries())
      bindings[`where_${index}_${place}`] = sql.value(column, value);
  }
  return bindings;
}
