import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, jsonText, type JsonValue } from '@lockstep/shared';
import type { Change, EntityTag, Key, NewRow, SetRequest } from '../domain/index.ts';
import { entityTagText, LockstepError, parseEntityTag, invalidField } from '../domain/index.ts';
import { TOKEN_HEADER } from './answer.ts';
import { parseToken, type Token } from './token.ts';

/** What a write depends on, and how long it may wait. */
export interface Preconditions {
  /** An entity tag, or `any`: the row must be there (`If-Match: *`). */
  ifMatch?: EntityTag | 'any';
  /** `If-None-Match: *`: only create. */
  onlyCreate?: boolean;
  idempotencyKey?: string;
  waitTimeoutMs?: number;
  leaseId?: string;
  /** Whose write it is, as `Call.caller`. */
  caller?: string;
  /** What the caller has seen before (`Lockstep-Token`). */
  token?: Token;
}

const MAX_WAIT_MS = 600_000;
const LEASE_ID = /^[\w.~-]{1,255}$/;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** @throws LockstepError `INVALID` naming the header, `UNKNOWN_LEASE` */
export function preconditionsOf(headers: IncomingHttpHeaders): Preconditions {
  const conditions: Preconditions = {};
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch !== undefined) {
    conditions.ifMatch = ifMatch === '*' ? 'any' : entityTagOf('If-Match', ifMatch);
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== '*') throw invalidField('If-None-Match', 'must be * on a write');
    conditions.onlyCreate = true;
  }
  const idempotencyKey = headers['idempotency-key'];
  if (idempotencyKey !== undefined)
    conditions.idempotencyKey = checkIdempotencyKey('Idempotency-Key', idempotencyKey);
  const timeout = headers['lockstep-timeout'];
  if (timeout !== undefined) conditions.waitTimeoutMs = waitTimeoutOf('Lockstep-Timeout', timeout);
  const lease = headers['lockstep-lease'];
  if (lease !== undefined) conditions.leaseId = checkLeaseId(lease);
  const token = tokenIn(headers);
  if (token !== undefined) conditions.token = token;
  return conditions;
}

/** @throws LockstepError `INVALID` */
export function tokenIn(headers: IncomingHttpHeaders): Token | undefined {
  const token = headers['lockstep-token'];
  return token === undefined ? undefined : parseToken(TOKEN_HEADER, token);
}

/** A strong entity tag, such as `"7"` or `"7-k2f"`. A weak one never matches a write (RFC 9110, 13.1.1). */
export function entityTagOf(path: string, text: string): EntityTag {
  const tag = parseEntityTag(text);
  if (tag !== null) return tag;
  throw invalidField(path, 'must be one entity tag as a read has given it, such as "7"');
}

export function checkIdempotencyKey(path: string, value: unknown): string {
  if (typeof value === 'string' && IDEMPOTENCY_KEY.test(value)) return value;
  throw invalidField(path, 'must be 1 to 255 visible ASCII characters');
}

/** @throws LockstepError `UNKNOWN_LEASE` where no lease has such an id */
export function checkLeaseId(value: unknown): string {
  if (typeof value === 'string' && LEASE_ID.test(value)) return value;
  throw new LockstepError('UNKNOWN_LEASE', 'This is not the id of a lease.');
}

export function waitTimeoutOf(path: string, value: unknown): number {
  const waitMs = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;
  if (
    typeof waitMs === 'number' &&
    Number.isInteger(waitMs) &&
    waitMs >= 1 &&
    waitMs <= MAX_WAIT_MS
  )
    return waitMs;
  throw invalidField(path, `must be a whole number of milliseconds from 1 to ${MAX_WAIT_MS}`);
}

/** @throws LockstepError `INVALID` */
export function checkConsistency(path: string, value: unknown): 'primary' {
  if (value === 'primary') return value;
  throw invalidField(path, 'must be primary');
}

/** A version as text or number. @throws LockstepError `INVALID` */
export function checkVersion(path: string, value: unknown): number {
  const version = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 0) return version;
  throw invalidField(path, 'must be a whole number from 0');
}

/** A hash of everything that a write asks for: repeats with the same idempotency key must have the same hash. */
export function requestHash(key: Key, change: Change, conditions: Preconditions): string {
  const { op } = change;
  const identity = {
    resource: key.resource.name,
    key: key.text,
    op,
    set: op === 'delete' ? null : change.set,
    increment: op === 'patch' ? change.increment : null,
    onlyCreate: conditions.onlyCreate ?? false,
    ifMatch: ifMatchText(conditions),
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url');
}

/** The same of an insert whose key the database makes. */
export function insertHash({ resource, parts, set }: NewRow): string {
  const identity = { resource: resource.name, op: 'insert', parts: { ...parts }, set };
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url');
}

/** The same of a set. */
export function setHash({ resource, where, change }: SetRequest): string {
  const conditions = where.map(({ column, ...condition }) => [column.name, { ...condition }]);
  const identity = {
    resource: resource.name,
    op: `set-${change.op}`,
    where: conditions as JsonValue,
    set: change.op === 'delete' ? null : change.set,
    increment: change.op === 'delete' ? null : change.increment,
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url');
}

/** A plain version is hashed as a number, as before there were tags: repeats of older requests must have the same hash. */
function ifMatchText({ ifMatch }: Preconditions): JsonValue {
  if (ifMatch === undefined || ifMatch === 'any') return ifMatch ?? null;
  return ifMatch.tag === undefined ? ifMatch.version : entityTagText(ifMatch);
}

/** JSON with the names of every object sorted. */
function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (!isJsonObject(value)) return jsonText(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`);
  return `{${members.join()}}`;
}
