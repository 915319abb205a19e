import type { JsonValue, Row } from '@lockstep/shared';

/** Inherits nothing: an ordinary object's inherited members could be taken for columns such as `constructor`. */
class Bare {
  [column: string]: JsonValue;
}
Object.setPrototypeOf(Bare.prototype, null);
Reflect.deleteProperty(Bare.prototype, 'constructor');

/** A row without columns, which inherits nothing: any name can be a column's. */
export const emptyRow = (): Row => new Bare();

/** The row's own value of the column; undefined if it has none. */
export const columnOf = <T>(row: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(row, name) ? row[name] : undefined;
