import type { JsonValue, Row } from '@lockstep/shared';

/** What an ordinary object inherits would be taken for a column that is named `constructor` or `__proto__`. */
class Bare {
  [column: string]: JsonValue;
}
Object.setPrototypeOf(Bare.prototype, null);
Reflect.deleteProperty(Bare.prototype, 'constructor');

/** A row without columns, which inherits nothing: any name can be a column's. */
export const emptyRow = (): Row => new Bare();

/** The value that the row itself has for the column; undefined where it has none. */
export const columnOf = <T>(row: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(row, name) ? row[name] : undefined;
