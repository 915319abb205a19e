import type { Key } from '../../domain/index.ts';
import type { SqlValue } from '../statements/sql.ts';
import { localText, pgBytes, type ValueDialect } from '../values/row-text.ts';
import { keyBindings } from '../write/change-sql.ts';

export const pgValues: ValueDialect = {
  time: String,
  boolean: String,
  keyPart: ({ type }, part) => (type === 'bytes' ? pgBytes(part) : localText(type, part)),
};

export const pgKeyBindings = (key: Key): Record<string, SqlValue> => keyBindings(pgValues, key);
