import type { Column } from '../../domain/index.ts';
import type { SqlValue } from '../statements/sql.ts';
import { localText, pgBytes, type ValueDialect } from '../values/row-text.ts';

export const pgValues: ValueDialect = { time: String, boolean: String };

/** A part of a key as the driver takes it. */
export const encodeKeyPart = ({ type }: Column, part: string): SqlValue =>
  type === 'bytes' ? pgBytes(part) : localText(type, part);
