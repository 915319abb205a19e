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
  const mayBeInexact =
    typeof value === 'object' ? MAYBE_INEXACT.test(text) : STARTS_AS_NUMBER.test(text);
  return mayBeInexact ? readExactly(text) : value;
}

/**
 * The JSON text of a value, with the digits of each `ExactNumber`. Members that are undefined are left out.
 * @throws RangeError where the text would be longer than a text can be (512 MiB)
 */
export function jsonText(value: JsonValue | object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A RangeError: a document of some thousand levels ends the stack of the built-in function.
    if (error !== ExactNumber.NOT_BUILT_IN && !(error instanceof RangeError)) throw error;
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

/** An array or object of which some is written. */
interface Open {
  /** Each with what stands before it, but for the comma. */
  rest: Iterator<readonly [prefix: string, value: unknown], undefined>;
  isFirst: boolean;
  end: ']' | '}';
}

/** Keeps its own stack, as `readExactly` does. */
function writeExactly(value: unknown): string {
  const open: Open[] = [];
  let text = '';
  const put = (next: unknown): void => {
    if (next instanceof ExactNumber) text += next.text;
    else if (typeof next !== 'object' || next === null) text += JSON.stringify(next ?? null);
    else {
      text += Array.isArray(next) ? '[' : '{';
      open.push(opened(next));
    }
  };
  put(value);
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const next = last.rest.next();
    if (next.done === true) {
      text += last.end;
      open.pop();
    } else {
      const [prefix, member] = next.value;
      text += last.isFirst ? prefix : `,${prefix}`;
      last.isFirst = false;
      put(member);
    }
  }
  return text;
}

function opened(container: object): Open {
  const rest = Array.isArray(container)
    ? container.map((item: unknown) => ['', item] as const)
    : Object.entries(container).flatMap(([name, member]: [string, unknown]) =>
        member === undefined ? [] : [[`${JSON.stringify(name)}:`, member] as const],
      );
  return { rest: rest.values(), isFirst: true, end: Array.isArray(container) ? ']' : '}' };
}
