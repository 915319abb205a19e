import type { Column, Key } from '../../../domain/index.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { localText, plainTime, type ValueDialect } from '../../../database/values/row-text.ts';
import { keyBindings } from '../../../database/write/change-sql.ts';

function keyPart({ type }: Column, part: string): SqlValue {
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

export const mysqlValues: ValueDialect = { time: plainTime, boolean: Number, keyPart };

export const mysqlKeyBindings = (key: Key): Record<string, SqlValue> =>
  keyBindings(mysqlValues, key);
