import type { Key } from '../../domain/index.ts';
import { isPadded } from './names.ts';
import type { RowWrite } from '../port.ts';
import type { Attempt } from '../write/write-flow.ts';

/** In `character(n)` trailing blanks mean nothing: a key with them would be another name of the same row. */
export function isUnaddressable({ resource, parts }: Key): boolean {
  return resource.keyColumns.some(
    (column, index) => isPadded(column) && parts[index]?.endsWith(' '),
  );
}

/** The answer to a write of such a key. */
export function unaddressable({ key, change }: RowWrite): Attempt {
  if (change.op !== 'put') return { status: 'not-admitted' };
  const column = key.resource.keyColumns.find(isPadded)?.name ?? null;
  return {
    status: 'refused',
    refusal: { reason: 'invalid', message: 'must not end with a blank', column },
  };
}
