/** Tokens: what a caller has seen of keys. Their text is written in `shared`, for the client reads it too. */
import { hash as digest } from 'node:crypto';
import {
  MAX_SEEN_KEYS,
  parseSeenToken,
  type SeenKey,
  seenKeyText,
  type SeenToken,
  seenTokenText,
} from '@lockstep/shared/seen-token';
import {
  type Key,
  laterPosition,
  type LogPosition,
  UNKNOWN_POSITION,
  type WriteReceipt,
  invalidField,
} from '../domain/index.ts';
import type { ReadAnswer, ReadOptions } from '../reads/port.ts';

export type Token = SeenToken;

const HASH_LENGTH = 12;

export const NOTHING_SEEN: Token = { entries: null, databases: null, keys: [] };

/** @throws LockstepError `INVALID` naming `path` */
export function parseToken(path: string, value: unknown): Token {
  const token = typeof value === 'string' ? parseSeenToken(value) : null;
  if (token !== null) return token;
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
    ? seenTokenText(NOTHING_SEEN, [`${hashOf(key)}.${answer.version}`])
    : tokenText(afterRead(key, answer, before));
}

/** The text of the token that a write's answer carries, as for a read. */
export function writeTokenText(receipt: WriteReceipt, before?: Token): string {
  const isPlain = before === undefined && (receipt.position ?? null) === null;
  return isPlain
    ? seenTokenText(NOTHING_SEEN, [`${hashOf(receipt.key)}.${receipt.version}.w`])
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

export const tokenText = (token: Token): string =>
  seenTokenText(token, token.keys.map(seenKeyText));

/** A present position of the primary covers everything that was seen before, known or not. */
function coveredBy(seen: LogPosition | null, now: LogPosition | null): LogPosition | null {
  return seen === UNKNOWN_POSITION && now !== null ? now : laterPosition(seen, now);
}

const asRead = (seen: SeenKey): SeenKey => ({ ...seen, isWritten: false });

const withKey = (keys: readonly SeenKey[], key: SeenKey): readonly SeenKey[] =>
  [key, ...keys.filter(({ hash }) => hash !== key.hash)].slice(0, MAX_SEEN_KEYS);

function hashOf({ lockKey }: Key): string {
  return digest('sha256', lockKey, 'base64url').slice(0, HASH_LENGTH);
}
