import { StatementFailure } from './connections/statement-failure.ts';

/** The statement was not carried out, because the table is another one than was described. */
export function isOfSchema(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { cause } = error;
  return cause instanceof StatementFailure && cause.kind === 'broken';
}
