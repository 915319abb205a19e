import type { Key } from '../../../domain/index.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { localText, pgBytes, type ValueDialect } from '../../../database/values/row-text.ts';
import { keyBindings } from '../../../database/write/change-sql.ts';

export const pgValues: ValueDialect = {
  time: String,
  boolean: String,
  keyPart: ({ type }, part) => (type === 'bytes' ? pgBytes(part) : localText(type, part)),
};

export const pgKeyBindings = (key: Key): Record<string, SqlValue> => keyBindings(pgValues, key);
