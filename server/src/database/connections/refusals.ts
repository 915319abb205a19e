import {
  databaseAnswerOf,
  type DatabaseAnswer,
  type StatementFailure,
} from './statement-failure.ts';

type ConstraintKind = 'unique' | 'not-null' | 'check' | 'foreign-key' | 'other';

/** Why the database refused a statement. The caller that knows the current version adds it. Never holds values. */
export type DatabaseRefusal =
  | { reason: 'constraint'; constraint: string; kind: ConstraintKind; answer?: DatabaseAnswer }
  /** The account that Lockstep uses may not do it, or row security does not let it. */
  | { reason: 'forbidden'; answer?: DatabaseAnswer }
  /**
   * Triggers or rules of the table, which `constraint` names, did something else than was asked for: they left the row
   * as it was (`cancelled`), or stored it under another key (`key-changed`).
   */
  | { reason: 'cancelled' | 'key-changed'; constraint: string }
  /** The database cannot take a value (out of range, wrong form) although its type looked right. */
  | { reason: 'invalid'; message: string; column: string | null; answer?: DatabaseAnswer };

/** What a database's codes of refusals mean. */
export interface RefusalCodes {
  readonly constraints: Readonly<Record<string, ConstraintKind>>;
  /** What is wrong with a value, as the rest of a sentence. */
  readonly messages: Readonly<Record<string, string>>;
}

/** The refusal that a failed statement stands for; null where it failed for another cause. */
export function refusalOf(codes: RefusalCodes, failure: StatementFailure): DatabaseRefusal | null {
  if (failure.kind !== 'refused') return null;
  const answer = databaseAnswerOf(failure);
  if (failure.ground === 'right') return { reason: 'forbidden', answer };
  if (failure.ground === 'value') {
    return {
      reason: 'invalid',
      message: codes.messages[failure.code] ?? 'has a value that the database does not take',
      column: failure.column,
      answer,
    };
  }
  const kind = codes.constraints[failure.code] ?? 'other';
  const constraint = failure.constraint ?? failure.column ?? kind;
  return { reason: 'constraint', constraint, kind, answer };
}
