import { StatementFailure } from './statement-failure.ts';

/** What the servers say of a statement that names a column or a table that is not there, or has another type. */
const OF_SCHEMA = /^(42703|42P01|42P10|42804|42883|1054|1146|1136)$/;

/** The statement was not carried out, because the table is another one than was described. */
export function isOfSchema(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { cause } = error;
  return cause instanceof StatementFailure && OF_SCHEMA.test(cause.code);
}
