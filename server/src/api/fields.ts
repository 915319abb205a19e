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

/** The schemas whose members may have any value. */
const nameSchemas = new WeakMap<z.ZodObject, z.ZodObject>();

/**
 * Checks the names of an object's fields against those of a schema.
 * @param note is added to the message
 * @throws LockstepError `INVALID` with each unknown field
 */
export function checkFields(schema: z.ZodObject, object: JsonObject, note = ''): void {
  let names = nameSchemas.get(schema);
  if (names === undefined) {
    const members = Object.keys(schema.shape).map((name) => [name, z.unknown().optional()]);
    names = z.strictObject(Object.fromEntries(members) as Record<string, z.ZodType>);
    nameSchemas.set(schema, names);
  }
  const result = names.safeParse(object);
  if (result.success) return;
  const known = Object.keys(names.shape);
  throw invalid(result.error.issues.flatMap((issue) => faultsOf(issue, known, note)));
}

function faultsOf(issue: z.core.$ZodIssue, known: readonly string[], note = ''): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    const message = `is not known; allowed: ${known.join(', ')}${note}`;
    return issue.keys.map((path) => ({ path, message }));
  }
  const path = issue.path.map(String).join('.');
  return [{ path: path === '' ? 'body' : path, message: issue.message }];
}
