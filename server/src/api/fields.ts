import type { FieldFault, JsonObject } from '@lockstep/shared';
import { z } from 'zod';
import { invalid } from '../domain/index.ts';

/** `value` in the schema's shape. @throws LockstepError `INVALID` with each wrong field */
export function checkShape<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  throw invalid(result.error.issues.flatMap((issue) => faultsOf(issue, known)));
}

/**
 * Checks the names of an object's fields against those of a schema.
 * @param note is added to the message
 * @throws LockstepError `INVALID` with each unknown field
 */
export function checkFields({ shape }: z.ZodObject, object: JsonObject, note = ''): void {
  const unknown = Object.keys(object).filter((name) => !Object.hasOwn(shape, name));
  if (unknown.length === 0) return;
  throw invalid(unknown.map((path) => notKnown(path, Object.keys(shape), note)));
}

const notKnown = (path: string, known: readonly string[], note = ''): FieldFault => ({
  path,
  message: `is not known; allowed: ${known.join(', ')}${note}`,
});

function faultsOf(issue: z.core.$ZodIssue, known: readonly string[]): FieldFault[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((path) => notKnown(path, known));
  const path = issue.path.map(String).join('.');
  return [{ path: path === '' ? 'body' : path, message: issue.message }];
}
