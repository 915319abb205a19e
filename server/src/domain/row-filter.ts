/** Which rows of a table a set-based write means: those for which all conditions hold. */
import type { JsonValue } from '@lockstep/shared';
import type { Column } from './column.ts';

/** How a value is compared with a column, by its operator in a filter. As in SQL, none of them holds of NULL. */
export const COMPARISONS = {
  $eq: '=',
  $ne: '<>',
  $lt: '<',
  $lte: '<=',
  $gt: '>',
  $gte: '>=',
} as const;
export type Comparison = keyof typeof COMPARISONS;

/** One condition on one column. Values are canonical, as `parseValue` gives them, and never null. */
export type Condition =
  | { column: Column; is: Comparison; value: JsonValue }
  | { column: Column; is: '$in'; values: readonly [JsonValue, ...JsonValue[]] }
  | { column: Column; is: 'null' | 'not-null' };

/** At least one condition: nobody means a whole table by leaving them out. */
export type RowFilter = readonly [Condition, ...Condition[]];
