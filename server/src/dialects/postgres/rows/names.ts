import { createHash } from 'node:crypto';
import type { Column } from '../../../domain/index.ts';
import { compileSql, quoteName, type CompiledSql } from '../../../database/statements/sql-text.ts';
import { POSTGRES } from '../spelling.ts';

/** A statement that each connection prepares once. */
export interface NamedSql extends CompiledSql {
  /** Undefined beyond the bound on prepared statements. */
  name: string | undefined;
}

/** Bound on the statements that each connection of this process keeps prepared. */
export const MAX_PREPARED = 500;
const names = new Set<string>();

/**
 * Names a statement by its text. Behind a pooler a server's connection may have been prepared by another process or by
 * another version of Lockstep: one name must mean one text for all of them.
 */
export function nameSql(sql: string): NamedSql {
  const compiled = compileSql(POSTGRES, sql);
  const name = `lockstep_${createHash('sha256').update(compiled.text).digest('hex').slice(0, 40)}`;
  if (!names.has(name)) {
    if (names.size >= MAX_PREPARED) return { ...compiled, name: undefined };
    names.add(name);
  }
  return { ...compiled, name };
}

export const quote = (name: string): string => quoteName(POSTGRES, name);

/** `character(n)` pads with blanks that mean nothing; as text it has none. */
export function select(alias: string, column: Column): string {
  const name = `${alias}.${quote(column.name)}`;
  return isPadded(column) ? `${name}::text` : name;
}

/** Types that compare with the column through its index and are assigned to it without loss. */
export function keyType(column: Column): string {
  if (column.type === 'integer' || column.type === 'bigint') return 'bigint';
  if (column.type === 'text') return isPadded(column) ? 'bpchar' : 'text';
  return withoutModifier(column.baseType ?? column.sqlType);
}

export const isPadded = ({ sqlType, baseType = sqlType }: Column): boolean =>
  /^character(\(|$)/.test(baseType);

/** A type without its length or precision, which a cast would silently cut a value to. */
export const withoutModifier = (sqlType: string): string => sqlType.replace(/\(.*?\)/, '');
