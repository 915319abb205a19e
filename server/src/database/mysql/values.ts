import type { Column } from '../../domain/index.ts';
import type { SqlValue } from '../statements/sql.ts';
import { localText, plainTime, type ValueDialect } from '../values/row-text.ts';

export const mysqlValues: ValueDialect = { time: plainTime, boolean: Number };

/** A part of a key as the driver takes it. */
export function encodeKeyPart({ type }: Column, part: string): SqlValue {
  switch (type) {
    case 'integer':
    case 'bigint':
      // A number, because MySQL would compare a text as a float.
      return BigInt(part);
    case 'boolean':
      return part === 'true' || part === 'false' ? BigInt(part === 'true') : BigInt(part);
    case 'bytes':
      return Buffer.from(part, 'base64');
    case 'timestamp':
      return plainTime(part);
    default:
      return localText(type, part);
  }
}
