import type { Spelling } from '../../database/index.ts';
import type { QuerySpelling } from '../../domain/index.ts';

export const MYSQL: Spelling = {
  quote: '`',
  tokens:
    /(?<quoted>`(?:[^`]|``)*`|'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*")|(?<comment>^[^\S\n]*--(?=\s)[^\n]*\n?|--(?=\s)[^\n]*)|(?<![:\w]):(?<name>[a-z]\w*)/gim,
  placeholder: (order, name) => {
    order.push(name);
    return '?';
  },
  ofShared: (text) =>
    text
      .replaceAll('{{clock}}', 'now(6)')
      .replaceAll('{{nowMs}}', 'cast(unix_timestamp(now(3)) * 1000 as signed)')
      .replaceAll(/\{\{ageMs (\w+)\}\}/g, 'timestampdiff(microsecond, $1, now(6)) div 1000')
      .replaceAll('{{returningId}}', '')
      .replaceAll(/::[a-z]\w*/g, '')
      .replaceAll(/"(\w+)"/g, '`$1`')
      .replaceAll(/\bon conflict \([\w, ]+\) do update\s+set\b/g, 'on duplicate key update')
      .replaceAll(/\bexcluded\.(\w+)/g, 'values($1)'),
};

export const MYSQL_QUERIES: QuerySpelling = {
  tokens:
    /(?<comment>--(?=\s|$)[^\n]*|#[^\n]*|\/\*[^]*?\*\/)|(?<quoted>'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`(?:[^`]|``)*`)|\{(?<parameter>[A-Za-z_]\w*)\}|(?<word>[\p{L}_][\p{L}\d_$]*)|(?<mark>[(){};])|[^]/gu,
  driverPlaceholder: '?',
};
