import type { DatabaseClient } from '../statements/sql.ts';
import {
  databaseAnswerOf,
  type DatabaseAnswer,
  type StatementFailure,
} from './statement-failure.ts';

type ConstraintKind = 'unique' | 'not-null' | 'check' | 'foreign-key' | 'other';

/** Why the database refused a statement; the current version is added by who knows it. Never holds values. */
export type DatabaseRefusal =
  | { reason: 'constraint'; constraint: string; kind: ConstraintKind; answer?: DatabaseAnswer }
  | { reason: 'cancelled' | 'key-changed'; constraint: string }
  | { reason: 'forbidden'; answer?: DatabaseAnswer }
  | { reason: 'invalid'; message: string; column: string | null; answer?: DatabaseAnswer };

/** The refusal that a failed statement stands for; null where it failed for another cause. */
export function refusalOf(
  client: DatabaseClient,
  failure: StatementFailure,
): DatabaseRefusal | null {
  if (failure.kind !== 'refused') return null;
  const answer = databaseAnswerOf(failure);
  if (failure.ground === 'right') return { reason: 'forbidden', answer };
  if (failure.ground === 'value') {
    const messages = client === 'pg' ? PG_MESSAGES : MYSQL_MESSAGES;
    return {
      reason: 'invalid',
      message: messages[failure.code] ?? 'has a value that the database does not take',
      column: failure.column,
      answer,
    };
  }
  const kinds = client === 'pg' ? PG_CONSTRAINTS : MYSQL_CONSTRAINTS;
  const kind = kinds[failure.code] ?? 'other';
  const constraint = failure.constraint ?? failure.column ?? kind;
  return { reason: 'constraint', constraint, kind, answer };
}

const PG_CONSTRAINTS: Record<string, ConstraintKind> = {
  '23502': 'not-null',
  '23503': 'foreign-key',
  '23001': 'foreign-key',
  '23505': 'unique',
  '23514': 'check',
};

const PG_MESSAGES: Record<string, string> = {
  '22001': 'is too long',
  '22003': 'is out of range',
  '22007': 'is not a valid date or time',
  '22008': 'is out of range',
  '22P02': 'has a wrong form',
  '54000': 'is too long for an index of its column',
};

const MYSQL_CONSTRAINTS: Record<string, ConstraintKind> = {
  '1048': 'not-null',
  '1364': 'not-null',
  '1062': 'unique',
  '1169': 'unique',
  '1586': 'unique',
  '1216': 'foreign-key',
  '1217': 'foreign-key',
  '1451': 'foreign-key',
  '1452': 'foreign-key',
  '3819': 'check',
  '4025': 'check',
};

const MYSQL_MESSAGES: Record<string, string> = {
  '1264': 'is out of range',
  '1267': 'has characters that its column cannot hold',
  '1416': 'has a wrong form',
  '1265': 'has a wrong form',
  '1292': 'has a wrong form',
  '1366': 'has a wrong form',
  '1406': 'is too long',
  '1977': 'has characters that its column cannot hold',
  '1690': 'is out of range',
};
