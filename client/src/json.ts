import { jsonText } from '@lockstep/shared/for-clients';
import { invalidArgument } from './errors.ts';
import type { Key, KeyPart } from './types.ts';

/** JSON of what a caller gave; bigints stand as the text of their digits. @throws LockstepError `INVALID` */
export function argumentText(name: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = jsonText(value as object);
  } catch {
    text = withBigints(name, value);
  }
  if (text === undefined) throw invalidArgument(name, 'must be something that JSON can say');
  return text;
}

function withBigints(name: string, value: unknown): string {
  try {
    return JSON.stringify(value, (_name, each: unknown) =>
      typeof each === 'bigint' ? String(each) : each,
    );
  } catch (cause) {
    throw invalidArgument(name, `must be something that JSON can say: ${String(cause)}`);
  }
}

/** JSON of a key. @throws LockstepError `INVALID` */
export function keyText(key: Key): string {
  return typeof key === 'object' ? `[${key.map(partText).join()}]` : partText(key);
}

function partText(part: KeyPart): string {
  switch (typeof part) {
    case 'number':
      if (Number.isInteger(part) && !Number.isSafeInteger(part))
        throw invalidArgument('key', 'must be text or a bigint where it is beyond 2^53');
      return JSON.stringify(part);
    case 'bigint':
      return `"${part}"`;
    case 'string':
    case 'boolean':
      return JSON.stringify(part);
    default:
      throw invalidArgument(
        'key',
        'must be text, a number, a bigint or a boolean, or a list of them',
      );
  }
}
