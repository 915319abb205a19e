/** PostgreSQL's text form of arrays, `{1,NULL,"a \"b\""}`, and JSON arrays. */
import type { JsonValue } from '@lockstep/shared';

/**
 * A JSON array of the elements, of arrays where there are several dimensions. An array whose first place is not 1
 * (`[0:1]={5,6}`) is answered as its text: a JSON array could not say where it begins.
 * @param element the value of an element from its text
 * @param isFlat whether an element may be an array in JSON, so that only one dimension can be recognised
 */
export function decodePgArray(
  text: string,
  element: (text: string) => JsonValue,
  isFlat: boolean,
): JsonValue {
  if (!text.startsWith('{') || (isFlat && text.startsWith('{{'))) return text;
  const open: JsonValue[][] = [];
  let last: JsonValue[] = [];
  for (const [token, quoted] of text.matchAll(TOKEN)) {
    if (token === '{') {
      const array: JsonValue[] = [];
      open.at(-1)?.push(array);
      open.push(array);
    } else if (token === '}') last = open.pop() ?? [];
    else if (quoted !== undefined) {
      open.at(-1)?.push(element(quoted.replace(/\\(.)/gs, '$1')));
    } else open.at(-1)?.push(token.toUpperCase() === 'NULL' ? null : element(token));
  }
  return last;
}

const TOKEN = /[{}]|"((?:[^"\\]|\\.)*)"|[^{},"]+/gs;

/**
 * The text form of a JSON array, or of arrays of arrays.
 * @param element the text of an element
 * @param isFlat whether the items of the array are its elements, whatever they are
 */
export function encodePgArray(
  items: readonly JsonValue[],
  element: (value: JsonValue) => string,
  isFlat: boolean,
): string {
  const texts = items.map((item) => {
    if (item === null) return 'NULL';
    if (!isFlat && Array.isArray(item)) return encodePgArray(item, element, isFlat);
    return `"${element(item).replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${texts.join(',')}}`;
}
