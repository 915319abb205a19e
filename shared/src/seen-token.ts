/**
 * Tokens: what a caller has seen, carried by the caller from answer to request. Opaque to callers; the coordinator and
 * the client library read them.
 *
 * Inside: `1|ENTRIES|DATABASES|KEY.VERSION|…` in base64url, where
 *   ENTRIES    log position that a cached value must have reached: what the caller wrote, or read past the cache
 *   DATABASES  log position that a replica must have reached: everything that the caller has seen
 *   KEY        hash of a key, with the version that was seen, and `.w` where it was written; the last seen first
 * Positions are empty without replicas; the versions of the last keys then are all that a token knows.
 */
import { isLogPosition, type LogPosition, UNKNOWN_POSITION } from './log-position.ts';

export interface SeenToken {
  entries: LogPosition | null;
  databases: LogPosition | null;
  /** The last seen first; each once. */
  keys: readonly SeenKey[];
}

export interface SeenKey {
  hash: string;
  version: number;
  /** The caller wrote it, and `entries` has not moved since: an entry of this version has all that `entries` asks for. */
  isWritten: boolean;
}

const FORMAT = '1';
const MAX_LENGTH = 8_192;
/** Keys whose versions a token holds. */
export const MAX_SEEN_KEYS = 8;
const SEEN_KEY = /^([\w-]{12})\.(\d{1,15})(\.w)?$/;

/** Null where the text is no token. */
export function parseSeenToken(text: string): SeenToken | null {
  if (text.length > MAX_LENGTH || !/^[\w-]+$/.test(text)) return null;
  const [format, entries, databases, ...keys] = fromBase64Url(text).split('|');
  const token = {
    entries: positionOf(entries),
    databases: positionOf(databases),
    keys: keys.map(seenKeyOf),
  };
  return format === FORMAT && isWhole(token) ? token : null;
}

/** The token of these keys, each as `seenKeyText` writes it. */
export const seenTokenText = (
  { entries, databases }: Pick<SeenToken, 'entries' | 'databases'>,
  keys: readonly string[],
): string => toBase64Url([FORMAT, entries ?? '', databases ?? '', ...keys].join('|'));

export const seenKeyText = ({ hash, version, isWritten }: SeenKey): string =>
  `${hash}.${version}${isWritten ? '.w' : ''}`;

const fromBase64Url = (text: string): string => Buffer.from(text, 'base64url').toString('utf8');
const toBase64Url = (text: string): string => Buffer.from(text).toString('base64url');

/** Undefined if the text is not a position. */
function positionOf(text: string | undefined): LogPosition | null | undefined {
  if (text === '') return null;
  return text === UNKNOWN_POSITION || (text !== undefined && isLogPosition(text))
    ? text
    : undefined;
}

function seenKeyOf(text: string): SeenKey | undefined {
  const [, hash, version, written] = SEEN_KEY.exec(text) ?? [];
  if (hash === undefined) return undefined;
  return { hash, version: Number(version), isWritten: written !== undefined };
}

function isWhole(token: {
  entries: LogPosition | null | undefined;
  databases: LogPosition | null | undefined;
  keys: readonly (SeenKey | undefined)[];
}): token is SeenToken {
  const { entries, databases, keys } = token;
  if (entries === undefined || databases === undefined) return false;
  return keys.length <= MAX_SEEN_KEYS && keys.every((key) => key !== undefined);
}
