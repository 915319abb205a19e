/**
 * JSON that keeps every number as it was written. JavaScript's own numbers have 53 bits: `JSON.parse` turns
 * `750727362669608961` into another number, `1e400` into none, and drops the last digit of `1.10`.
 *
 * `parseJson` and `jsonText` stand in the place of `JSON.parse` and `JSON.stringify` wherever rows pass. A text
 * without such numbers, which is nearly every one, goes through the built-in functions.
 */
import { ExactNumber, type JsonObject, type JsonValue } from './json.ts';

/** Whether a value is an object of members: no array, no number, not null. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof ExactNumber);

/**
 * Finds every number within an object or array that JavaScript may write in another way: one of 16 digits or more, with
 * an exponent, with a zero at the end of its fraction, below a millionth, or a negative zero. Any other is written again
 * as it was. It may also find digits inside of a text; the slower reading then gives the same value.
 */
const MAYBE_INEXACT =
  /[[,:\s](?:-0[\s,\]}]|-?\d(?:[\d.]{15}|\d*(?:[eE]|\.\d*(?:0[\s,\]}]|[eE])|\.0{6})))/;
/** The same for a text that is a number and nothing else. */
const STARTS_AS_NUMBER = /^\s*[-\d]/;

/** The tokens of a JSON text, but for its commas and colons. */
const TOKEN = /[{}[\]]|"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d[\d.eE+-]*|true|false|null/g;

/**
 * The value of a JSON text, with an `ExactNumber` for each number that a JavaScript number cannot hold as written.
 * @throws SyntaxError
 */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  return MAYBE_INEXACT.test(text) || STARTS_AS_NUMBER.test(text) ? readExactly(text) : value;
}

/** The JSON text of a value, with the digits of each `ExactNumber`. Members that are undefined are left out. */
export function jsonText(value: JsonValue | object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error !== ExactNumber.NOT_BUILT_IN) throw error;
    return writeExactly(value);
  }
}

/** A number of a JSON text: as a JavaScript number where that says the same. */
function numberOf(text: string): number | ExactNumber {
  const number = Number(text);
  return JSON.stringify(number) === text ? number : new ExactNumber(text);
}

/** Reads a text that is known to be JSON. It keeps its own stack, so that deep nesting does not end the process's. */
function readExactly(text: string): JsonValue {
  const open: (JsonValue[] | JsonObject)[] = [];
  let name: string | null = null;
  let result: JsonValue = null;
  const put = (value: JsonValue): void => {
    const container = open.at(-1);
    if (container === undefined) result = value;
    else if (Array.isArray(container)) container.push(value);
    else if (name !== null) {
      define(container, name, value);
      name = null;
    }
  };
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      const container = token === '{' ? {} : [];
      put(container);
      open.push(container);
      name = null;
    } else if (token === '}' || token === ']') {
      open.pop();
      name = null;
    } else if (token.startsWith('"')) {
      const container = open.at(-1);
      const string = JSON.parse(token) as string;
      const isName = container !== undefined && !Array.isArray(container) && name === null;
      if (isName) name = string;
      else put(string);
    } else put(scalar(token));
  }
  return result;
}

function scalar(token: string): JsonValue {
  if (token === 'null') return null;
  return token === 'true' || token === 'false' ? token === 'true' : numberOf(token);
}

/** As `JSON.parse` does: a member `__proto__` is an ordinary one, and of two members of one name the last counts. */
function define(object: JsonObject, name: string, value: JsonValue): void {
  if (name !== '__proto__') object[name] = value;
  else {
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
}

function writeExactly(value: unknown): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => writeExactly(item ?? null)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).flatMap(([name, member]: [string, unknown]) =>
    member === undefined ? [] : `${JSON.stringify(name)}:${writeExactly(member)}`,
  );
  return `{${members.join()}}`;
}
