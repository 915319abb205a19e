/**
 * Members of a JSON object as the very text that was sent: a parsed number has lost its digits, and what is written
 * back must be what was read.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipBlank(text, 0);
  if (text[at] !== '{') throw new Error('Not a JSON object');
  at = skipBlank(text, at + 1);
  while (text[at] !== '}') {
    const nameEnd = endOfValue(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const valueStart = skipBlank(text, skipBlank(text, nameEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    members.set(name, text.slice(valueStart, valueEnd));
    at = skipBlank(text, valueEnd);
    if (text[at] === ',') at = skipBlank(text, at + 1);
  }
  return members;
}

/** A JSON object of these members. */
export function rawObject(members: Iterable<readonly [string, string]>): string {
  const parts = [...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  return `{${parts.join(',')}}`;
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  if (text[start] !== '{' && text[start] !== '[') {
    const rest = /[,\]}\s]/.exec(text.slice(start));
    return rest === null ? text.length : start + rest.index;
  }
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1;
  }
  throw new Error('JSON ends too early');
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  throw new Error('JSON ends within a string');
}

function skipBlank(text: string, start: number): number {
  let at = start;
  while (/\s/.test(text[at] ?? 'x')) at++;
  return at;
}
