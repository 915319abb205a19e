/** Compares what a service cached with the row, without knowing how the service spells its values. Pure. */
import { isJsonObject, type JsonValue, type Row } from '@lockstep/shared';

/**
 * Whether a cached text says the same as the row, as far as both name the same columns.
 * @param row null: there is no such row
 * @param keyColumns say nothing: they are the same in an old copy
 * @returns null where the text cannot be compared: it is no JSON, or has no column of the row
 */
export function agreesWithRow(
  text: string,
  row: Row | null,
  keyColumns: readonly string[],
): boolean | null {
  const cached = parsed(text);
  if (cached === undefined) return null;
  if (cached === null) return row === null;
  if (!isJsonObject(cached)) return null;
  if (row === null) return false;
  const names = Object.keys(row).filter(
    (name) => !keyColumns.includes(name) && Object.hasOwn(cached, name),
  );
  if (names.length === 0) return null;
  return names.every((name) => saysTheSame(cached[name] ?? null, row[name] ?? null));
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** `1.10` and `1.1` say the same, and so do two spellings of one moment. */
function saysTheSame(one: JsonValue, other: JsonValue): boolean {
  if (one === null || other === null) return one === other;
  if (typeof one === 'object' || typeof other === 'object')
    return JSON.stringify(one) === JSON.stringify(other);
  const texts = [String(one), String(other)] as const;
  if (texts[0] === texts[1]) return true;
  if (typeof one === 'boolean' || typeof other === 'boolean')
    return Number(one) === Number(other) && texts.some((text) => /^[01]$/.test(text));
  const numbers = texts.map((text) => (text.trim() === '' ? NaN : Number(text)));
  if (numbers.every((number) => !Number.isNaN(number))) return numbers[0] === numbers[1];
  const moments = texts.map((text) => (DATE.test(text) ? Date.parse(text) : NaN));
  return !Number.isNaN(moments[0]) && moments[0] === moments[1];
}

const DATE = /^\d{4}-\d{2}-\d{2}/;
