import { isJsonObject, type JsonValue } from '@lockstep/shared';

const WHOLE_NUMBER = /^-?\d+$/;

/** A number, or a row's `field`, with `by` added; `undefined` where there is no number. */
export function sumOf(
  value: JsonValue,
  by: number,
  field: string | undefined,
): JsonValue | undefined {
  if (field === undefined) return added(value, by);
  if (!isJsonObject(value)) return undefined;
  const sum = added(value[field] ?? null, by);
  return sum === undefined ? undefined : { ...value, [field]: sum };
}

/** Numbers beyond 2^53 are texts. */
function added(value: JsonValue, by: number): JsonValue | undefined {
  if (typeof value === 'number') return value + by;
  if (typeof value !== 'string' || !WHOLE_NUMBER.test(value)) return undefined;
  return (BigInt(value) + BigInt(by)).toString();
}
