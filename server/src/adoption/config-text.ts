/** The text of the proposed configuration file: YAML with a comment for each choice. Pure. */
import { stringify } from 'yaml';
import { formatDuration } from '../config/index.ts';
import type { LeftOut, Proposal, ProposedResource } from './proposal.ts';
import { type NamedServers, rawResource } from './raw-config.ts';
import { MOST_KEYS, MOST_MS } from './redis-sample.ts';

/** How the file gets the address of a server. */
export type AddressSource = 'file' | 'environment';

export interface TextOptions {
  servers: NamedServers;
  /** `environment`: a LOCKSTEP_* variable has it, so the file need not. */
  database: AddressSource;
  cache: AddressSource;
  locks: AddressSource;
  /** How the file is named on the command line. */
  file: string;
}

const WIDTH = 110;

export function configText(proposal: Proposal, options: TextOptions): string {
  const lines = [
    ...comment(
      `Proposed by lockstep init, from what the database and the cache have. Read it, then: lockstep doctor --config ${options.file}`,
    ),
    '',
    ...databaseLines(options),
    '',
    ...cacheLines(options, proposal),
    '',
    ...lockLines(options),
    '',
    ...comment(POLICY_REASON),
    proposal.resources.length === 0 ? 'resources: {}' : 'resources:',
    ...proposal.resources.flatMap((resource) => resourceLines(resource).map((line) => `  ${line}`)),
    ...leftOutLines(proposal.leftOut),
  ];
  return `${lines.join('\n')}\n`;
}

const POLICY_REASON =
  'policy: delete-after-write removes the entry after each commit, asks for no lock, and goes on while the cache is ' +
  'away; its readers may see the old value for a moment after a write. Choose strict where they must not, ' +
  'and change-log where other programs write the table too: the catalog cannot say who writes a table, and what they ' +
  'change stays in the cache until its TTL, an audit or lockstep_invalidate.';

const SECRET =
  'It holds a password, so this file is readable for its owner only. To keep it out of the file, put the URL into ' +
  'a file of its own, name that in LOCKSTEP_{}_FILE, and remove the line.';

function databaseLines({ servers, database }: TextOptions): string[] {
  if (database === 'environment') {
    return [
      'database:',
      ...indented(
        comment(
          'The URL is in LOCKSTEP_DATABASE_CONNECTION, or in the file that LOCKSTEP_DATABASE_CONNECTION_FILE names.',
        ),
      ),
      '  mode: external',
      ...indented(comment(ZONE_NOTE)),
      '  timeZone: UTC',
    ];
  }
  return [
    'database:',
    ...indented(hasSecret(servers.database) ? secretNote('DATABASE_CONNECTION') : []),
    `  connection: ${scalar(servers.database)}`,
    ...indented(comment(ZONE_NOTE)),
    '  timeZone: UTC',
  ];
}

const ZONE_NOTE =
  'The zone of times that are stored without one. If your programs store local time, name its zone, such as Europe/Berlin.';

function cacheLines(
  { servers: { cache: url }, cache }: TextOptions,
  { sample }: Proposal,
): string[] {
  if (url === null) {
    return [
      ...comment(
        'No Redis was named: each coordinator starts one of its own, so run one only. Else: { url: redis://host:6379 }',
      ),
      'cache: { mode: embedded }',
    ];
  }
  const looked =
    sample === null
      ? []
      : comment(
          `${sample.keys.length} of its ${sample.total} keys were looked at by SCAN (at most ${MOST_KEYS} keys and ${MOST_MS / 1000} s).`,
        );
  if (cache === 'environment') {
    return [
      'cache:',
      ...indented(looked),
      ...indented(
        comment(
          'The URL is in LOCKSTEP_CACHE_URL, or in the file that LOCKSTEP_CACHE_URL_FILE names.',
        ),
      ),
      '  mode: external',
    ];
  }
  return [
    'cache:',
    ...indented(looked),
    ...indented(hasSecret(url) ? secretNote('CACHE_URL') : []),
    `  url: ${scalar(url)}`,
  ];
}

const LOCKS_NOTE =
  'Only writes of strict resources take locks, and leases and guards. They want three Redis servers that are independent of each other and of the cache, with maxmemory-policy noeviction: ' +
  'a majority must answer.';

function lockLines({ servers, locks: source }: TextOptions): string[] {
  const { cache, locks } = servers;
  if (locks.length === 0) return ['locks: { mode: embedded }'];
  if (source === 'environment') {
    return [
      'locks:',
      ...indented(comment(LOCKS_NOTE)),
      ...indented(
        comment(
          'The URLs are in LOCKSTEP_LOCKS_NODES, with commas, or in the file that LOCKSTEP_LOCKS_NODES_FILE names.',
        ),
      ),
      '  mode: external',
    ];
  }
  const isOfCache = locks.length === 1 && locks[0] === cache;
  return [
    'locks:',
    ...indented(
      comment(`${LOCKS_NOTE}${isOfCache ? ' The cache’s server stands here to begin with.' : ''}`),
    ),
    ...indented(locks.some(hasSecret) ? secretNote('LOCKS_NODES') : []),
    `  nodes: ${scalar(locks)}`,
  ];
}

const secretNote = (variable: string): string[] => comment(SECRET.replace('{}', variable));

function resourceLines(resource: ProposedResource): string[] {
  const { table, key, columns, cacheKey, format, ttl, policy, invalidates } = rawResource(resource);
  const { name, columnNotes, cacheKeyNote, policyNote } = resource;
  return [
    `${name}:`,
    `  table: ${scalar(table)}`,
    `  key: ${scalar(key)}`,
    ...columnNotes.flatMap((note) => indented(comment(note))),
    ...(columns === undefined ? [] : [`  columns: ${scalar(columns)}`]),
    ...indented(comment(cacheKeyNote)),
    `  cacheKey: ${scalar(cacheKey)}`,
    ...(format === undefined
      ? []
      : [
          ...indented(
            comment(
              'plain JSON, as the programs that read these keys now expect it; Lockstep’s own form (entry) needs readers that know it',
            ),
          ),
          `  format: ${format}`,
        ]),
    ...(ttl === undefined
      ? []
      : [`  ttl: ${formatDuration(ttl)} # by the lives of the sampled keys`]),
    ...(policyNote === null ? [] : indented(comment(policyNote))),
    `  policy: ${policy} # the default: see above`,
    ...(invalidates === undefined
      ? []
      : [
          ...indented(
            comment('keys of other programs about the same rows: deleted with each write'),
          ),
          `  invalidates: ${scalar(invalidates)}`,
        ]),
  ];
}

function leftOutLines(leftOut: readonly LeftOut[]): string[] {
  if (leftOut.length === 0) return [];
  return [
    '',
    ...comment(`Left out (${leftOut.length}):`),
    ...leftOut.flatMap(({ table, why }) => comment(`- ${table} ${why}`)),
  ];
}

/** Whether a URL has a password in it. */
export function hasSecret(url: string): boolean {
  const { password, searchParams } = new URL(url);
  return password !== '' || searchParams.has('password');
}

/** A value on one line. */
const scalar = (value: string | readonly string[]): string =>
  typeof value === 'string'
    ? stringify(value, { lineWidth: 0, blockQuote: false, defaultStringType: 'PLAIN' }).trimEnd()
    : `[${value.map(quoted).join(', ')}]`;

/** In a list, where commas and brackets mean something. */
const quoted = (text: string): string =>
  /^[A-Za-z_][\w-]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i.test(text)
    ? text
    : stringify(text, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE' }).trimEnd();

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** Names in the database may have line breaks, which would end a comment. */
const plain = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');

function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of plain(text).split(' ')) {
    if (line.length + word.length >= WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
