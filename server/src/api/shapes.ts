import type { FieldFault } from '@lockstep/shared';
import type { z } from 'zod';
import { invalid } from './problems.ts';

/** `value` in the schema's shape. @throws LockstepError `INVALID` with each wrong field */
export function checkShape<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(result.error.issues.flatMap(faultsOf));
}

function faultsOf(issue: z.core.$ZodIssue): FieldFault[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: 'is not known',
    }));
  }
  return [{ path: path === '' ? 'body' : path, message: issue.message }];
}
