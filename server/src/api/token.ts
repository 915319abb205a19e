/**
 * Tokens: what a caller has seen, carried by the caller. Opaque outside.
 *
 * Inside: `1|ENTRIES|DATABASES|KEY.VERSION|…` in base64url, where
 *   ENTRIES    log position that a cached value must have reached: what the caller wrote, or read past the cache
 *   DATABASES  log position that a replica must have reached: everything that the caller has seen
 *   KEY        hash of a key, with the version that was seen, and `.w` where it was written; the last seen first
 * Positions are empty without replicas; the versions of the last keys then are all that a token knows.
 */
import { hash as digest } from 'node:crypto';
import {
  isLogPosition,
  type Key,
  laterPosition,
  type LogPosition,
  UNKNOWN_POSITION,
  type WriteReceipt,
  invalidField,
} from '../domain/index.ts';
import type { ReadAnswer, ReadOptions } from '../reads/port.ts';

export interface Token {
  entries: LogPosition | null;
  databases: LogPosition | null;
  /** The last seen first; each once. */
  keys: readonly SeenKey[];
}

interface SeenKey {
  hash: string;
  version: number;
  /** The caller wrote it, and `entries` has not moved since: an entry of this version has all that `entries` asks for. */
  isWritten: boolean;
}

const FORMAT = '1';
const MAX_KEYS = 8;
const MAX_LENGTH = 8_192;
const HASH_LENGTH = 12;
const SEEN_KEY = /^([\w-]{12})\.(\d{1,15})(\.w)?$/;

export const NOTHING_SEEN: Token = { entries: null, databases: null, keys: [] };

/** @throws LockstepError `INVALID` naming `path` */
export function parseToken(path: string, value: unknown): Token {
  if (typeof value === 'string' && value.length <= MAX_LENGTH && /^[\w-]+$/.test(value)) {
    const [format, entries, databases, ...keys] = Buffer.from(value, 'base64url')
      .toString('utf8')
      .split('|');
    const token = {
      entries: positionOf(entries),
      databases: positionOf(databases),
      keys: keys.map(seenKeyOf),
    };
    if (format === FORMAT && isWhole(token)) return token;
  }
  throw invalidField(path, 'must be a token as an answer has given it');
}

/** What a read of `key` must not be older than. */
export function seenOf(token: Token, key: Key): Pick<ReadOptions, 'seen' | 'minVersion'> {
  const { entries, databases, keys } = token;
  const hash = hashOf(key);
  const own = keys.find((seen) => seen.hash === hash);
  const isPositioned = databases !== null || entries !== null;
  const written = own?.isWritten === true ? { writtenVersion: own.version } : {};
  return {
    ...(own === undefined ? {} : { minVersion: own.version }),
    ...(isPositioned ? { seen: { entries, databases, ...written } } : {}),
  };
}

/** What the caller has seen after this read. */
export function afterRead(key: Key, answer: ReadAnswer, before: Token = NOTHING_SEEN): Token {
  const { upTo = null, version, source } = answer;
  const after = (seen: LogPosition | null): LogPosition | null =>
    source === 'primary' ? coveredBy(seen, upTo) : laterPosition(seen, upTo);
  const databases = after(before.databases);
  // What the cache has served is no reason to distrust it; what went past it is.
  const isKept = answer.isKept === true;
  const entries = isKept ? before.entries : after(before.entries);
  const others = isKept ? before.keys : before.keys.map(asRead);
  if (answer.isUnversioned === true) return { entries, databases, keys: others };
  const hash = hashOf(key);
  const isWritten = others.some((seen) => seen.hash === hash && seen.isWritten);
  return { entries, databases, keys: withKey(others, { hash, version, isWritten }) };
}

/**
 * The text of the token that a read's answer carries. If the caller sent no token and no replicas are configured, the
 * token holds one version, and its text is written directly.
 */
export function readTokenText(key: Key, answer: ReadAnswer, before?: Token): string {
  const isPlain =
    before === undefined && answer.upTo === undefined && answer.isUnversioned !== true;
  return isPlain
    ? encoded(`${FORMAT}|||${hashOf(key)}.${answer.version}`)
    : tokenText(afterRead(key, answer, before));
}

/** The text of the token that a write's answer carries, as for a read. */
export function writeTokenText(receipt: WriteReceipt, before?: Token): string {
  const isPlain = before === undefined && (receipt.position ?? null) === null;
  return isPlain
    ? encoded(`${FORMAT}|||${hashOf(receipt.key)}.${receipt.version}.w`)
    : tokenText(afterWrite(receipt, before));
}

export function afterWrite(receipt: WriteReceipt, before: Token = NOTHING_SEEN): Token {
  const { key, version, position = null } = receipt;
  return {
    entries: coveredBy(before.entries, position),
    databases: coveredBy(before.databases, position),
    keys: withKey(before.keys.map(asRead), { hash: hashOf(key), version, isWritten: true }),
  };
}

export function tokenText({ entries, databases, keys }: Token): string {
  const seen = keys.map(
    ({ hash, version, isWritten }) => `|${hash}.${version}${isWritten ? '.w' : ''}`,
  );
  return encoded(`${FORMAT}|${entries ?? ''}|${databases ?? ''}${seen.join('')}`);
}

const encoded = (text: string): string => Buffer.from(text).toString('base64url');

/** A present position of the primary covers everything that was seen before, known or not. */
function coveredBy(seen: LogPosition | null, now: LogPosition | null): LogPosition | null {
  return seen === UNKNOWN_POSITION && now !== null ? now : laterPosition(seen, now);
}

const asRead = (seen: SeenKey): SeenKey => ({ ...seen, isWritten: false });

const withKey = (keys: readonly SeenKey[], key: SeenKey): readonly SeenKey[] =>
  [key, ...keys.filter(({ hash }) => hash !== key.hash)].slice(0, MAX_KEYS);

function hashOf({ lockKey }: Key): string {
  return digest('sha256', lockKey, 'base64url').slice(0, HASH_LENGTH);
}

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
}): token is Token {
  const { entries, databases, keys } = token;
  if (entries === undefined || databases === undefined || keys.length > MAX_KEYS) return false;
  return keys.every((key) => key !== undefined);
}
