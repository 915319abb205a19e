import type { Spelling } from '../../database/index.ts';
import type { QuerySpelling } from '../../domain/index.ts';

export const POSTGRES: Spelling = {
  quote: '"',
  tokens:
    /(?<quoted>"(?:[^"]|"")*"|\b[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*')|(?<comment>^[^\S\n]*--[^\n]*\n?|--[^\n]*)|(?<![:\w]):(?<name>[a-z]\w*)/gim,
  placeholder: (order, name) => {
    if (!order.includes(name)) order.push(name);
    return `$${order.indexOf(name) + 1}`;
  },
  ofShared: (text) =>
    text
      .replaceAll('{{clock}}', 'clock_timestamp()')
      .replaceAll('{{nowMs}}', '(extract(epoch from clock_timestamp()) * 1000)::bigint')
      .replaceAll(
        /\{\{ageMs (\w+)\}\}/g,
        '(extract(epoch from clock_timestamp() - $1) * 1000)::bigint',
      )
      .replaceAll('{{returningId}}', 'returning id'),
};

export const POSTGRES_QUERIES: QuerySpelling = {
  tokens:
    /(?<comment>--[^\n]*|\/\*[^]*?\*\/)|(?<quoted>[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>\w*)\$[^]*?\$\k<tag>\$)|\{(?<parameter>[A-Za-z_]\w*)\}|(?<word>[\p{L}_][\p{L}\d_$]*)|(?<mark>[(){};])|[^]/gu,
  driverPlaceholder: null,
};
