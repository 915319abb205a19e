import { createHash } from 'node:crypto';
import { type CacheOutcome, jsonText, type JsonValue } from '@lockstep/shared';
import type { Key, Resource, WriteReceipt, WriteRequest } from '../domain/index.ts';
import {
  assertHasRows,
  CacheKeyOwners,
  entityTagText,
  isDerived,
  keyAsJson,
  keyFromJson,
  keyFromPath,
  LockstepError,
  shownValue,
  invalid,
  invalidField,
} from '../domain/index.ts';
import type { ReadAnswer, ReadOptions } from '../reads/port.ts';
import type { Admission } from './admission.ts';
import { type Answer, TOKEN_HEADER } from './answer.ts';
import { AnswerText, readText } from './bounded-answers.ts';
import {
  assertRepeated,
  refusedBesideIdempotencyKey,
  type RepeatedColumns,
} from './computed-columns.ts';
import {
  type AskedRow,
  type AskedTransaction,
  insertRow,
  transactWithInserts,
  wholeKey,
} from './inserts.ts';
import type { ApiOptions } from './ports.ts';
import { type Preconditions, requestHash } from './preconditions.ts';
import {
  afterWrite,
  NOTHING_SEEN,
  readTokenText,
  seenOf,
  type Token,
  tokenText,
  writeTokenText,
} from './token.ts';
import { newRow, patchChange, putChange } from './write-body.ts';

export const WRITE_OPS = ['put', 'patch', 'delete'] as const;
export type WriteOp = (typeof WRITE_OPS)[number];

type OperationOptions = Pick<ApiOptions, 'resources' | 'writes' | 'reads' | 'limits'>;

/** Bounds on reads and writes in flight. */
export interface Admissions {
  reads: Admission;
  writes: Admission;
}

/** The operations on one key, which single calls and batches share. */
export class Operations {
  readonly #options: OperationOptions;
  readonly #admission: Admissions;

  constructor(options: OperationOptions, admission: Admissions) {
    this.#options = options;
    this.#admission = admission;
  }

  /** @throws LockstepError `UNKNOWN_RESOURCE` */
  resource(name: unknown): Resource {
    const resource = typeof name === 'string' ? this.#options.resources.get(name) : undefined;
    if (resource !== undefined) return resource;
    throw new LockstepError('UNKNOWN_RESOURCE', 'No resource of this name is configured.');
  }

  /** Which resource owns a cache key, by the present configuration. */
  owners(): CacheKeyOwners {
    return new CacheKeyOwners(this.#options.resources);
  }

  /** The key that a path names. @throws LockstepError `UNKNOWN_RESOURCE`, `INVALID` */
  keyInPath(resourceSegment: string, keySegment: string): Key {
    const key = keyFromPath(this.resource(decodeSegment(resourceSegment)), keySegment);
    return this.#bounded(key);
  }

  /** The key that a body names. @throws LockstepError `UNKNOWN_RESOURCE`, `INVALID` */
  keyInBody(resource: JsonValue | undefined, key: JsonValue | undefined): Key {
    return this.#bounded(keyFromJson(this.resource(resource), key));
  }

  /** @param before what the caller has seen */
  async read(key: Key, options: ReadOptions, before?: Token, caller = ''): Promise<Answer> {
    if (isDerived(key.resource) && (options.minVersion ?? 0) > 0) {
      throw invalidField('minVersion', `goes with rows only: ${key.resource.name} is a query`);
    }
    const { reads } = this.#admission;
    let answer: ReadAnswer;
    reads.enter(caller);
    try {
      answer = await this.#options.reads.read(key, withSeen(key, options, before));
    } finally {
      reads.leave(caller);
    }
    const { row, source, tag } = answer;
    const token = readTokenText(key, answer, before);
    if (row === null) {
      throw new LockstepError('NOT_FOUND', `There is no such row in ${key.resource.name}.`, {
        details: { token },
      });
    }
    const version = answer.isUnversioned === true ? null : answer.version;
    const { name: resource } = key.resource;
    const shownKey = keyAsJson(key);
    if (answer.rowText !== undefined && version !== null) {
      const headers = { ETag: rowTagText(version, tag), [TOKEN_HEADER]: token };
      const body = { resource, key: shownKey, version, source, token };
      return { status: 200, headers, text: readText(body, answer.rowText) };
    }
    const value = shownValue(key.resource, row);
    return {
      status: 200,
      headers: { ...entityTagOfRead(key, version, tag, value), [TOKEN_HEADER]: token },
      body: { resource, key: shownKey, version, value, source, token },
    };
  }

  /** @param prefix stands before each column in the paths of faults */
  async write(
    op: WriteOp,
    key: Key,
    body: JsonValue | undefined,
    conditions: Preconditions,
    prefix?: string,
  ): Promise<Answer> {
    const { request, repeated } = writeRequest(op, key, body, conditions, prefix);
    const { reads, writes } = this.#options;
    const receipt = await this.#admission.writes.run(conditions.caller ?? '', () =>
      repeated === null
        ? writes.write(request)
        : assertRepeated(reads, [repeated]).then(() => writes.write(request)),
    );
    return writeAnswer(receipt, conditions.token);
  }

  /** The row that a body asks to insert. @throws LockstepError `UNKNOWN_RESOURCE`, `INVALID` with each wrong field */
  newRow(resource: unknown, body: JsonValue | undefined, prefix?: string): AskedRow {
    const row = newRow(this.resource(resource), body, prefix);
    const key = wholeKey(row);
    return { row, key: key === null ? null : this.#bounded(key) };
  }

  async insert(asked: AskedRow, conditions: Preconditions): Promise<Answer> {
    const { writes } = this.#options;
    const receipt = await this.#admission.writes.run(conditions.caller ?? '', () =>
      insertRow(writes, asked, conditions),
    );
    const answer = writeAnswer(receipt, conditions.token);
    return { ...answer, headers: { ...answer.headers, Location: locationOf(receipt.key) } };
  }

  /** @param before what the caller has seen */
  async transact(
    request: AskedTransaction,
    repeated: readonly RepeatedColumns[],
    before?: Token,
    caller = '',
  ): Promise<Answer> {
    const receipts = await this.#admission.writes.run(caller, async () => {
      if (repeated.length > 0) await assertRepeated(this.#options.reads, repeated);
      return transactWithInserts(this.#options.writes, request);
    });
    const answer = new AnswerText(this.#options.limits.answerBytes);
    for (const [index, receipt] of receipts.entries()) {
      const { status, body } = receiptAnswer(receipt);
      answer.addWrite(index, { status, ...body });
    }
    const replayed = receipts.some((receipt) => receipt.replayed);
    const token = tokenText(
      receipts.reduce((seen, receipt) => afterWrite(receipt, seen), before ?? NOTHING_SEEN),
    );
    const headers: Record<string, string> = { [TOKEN_HEADER]: token };
    if (replayed) headers['Idempotent-Replayed'] = 'true';
    const text = `{"outcome":"applied","results":${answer.list()},"token":${JSON.stringify(token)}}`;
    return { status: 200, headers, text };
  }

  /** What the cache holds now, key by key. */
  invalidateKeys(
    keys: readonly Key[],
    cacheKeys: readonly string[],
    caller = '',
  ): Promise<CacheOutcome[]> {
    return this.#admission.writes.run(caller, () =>
      this.#options.writes.invalidate(keys, cacheKeys),
    );
  }

  async invalidate(
    keys: readonly Key[],
    cacheKeys: readonly string[],
    caller = '',
  ): Promise<Answer> {
    const results = await this.invalidateKeys(keys, cacheKeys, caller);
    const subjects = [
      ...keys.map((key) => ({ resource: key.resource.name, key: keyAsJson(key) })),
      ...cacheKeys.map((cacheKey) => ({ cacheKey })),
    ];
    const body = {
      results: subjects.map((subject, index) => ({ ...subject, cache: results[index] })),
    };
    return { status: 200, body };
  }

  #bounded(key: Key): Key {
    const { keyBytes } = this.#options.limits;
    if (Buffer.byteLength(key.text) <= keyBytes) return key;
    throw invalidField('key', `must be at most ${keyBytes} bytes`);
  }
}

/** A read must satisfy both the version that its caller asks for and what the caller has seen. */
function withSeen(key: Key, options: ReadOptions, before: Token | undefined): ReadOptions {
  if (before === undefined) return options;
  const { minVersion = 0, ...seen } = seenOf(before, key);
  const least = Math.max(minVersion, options.minVersion ?? 0);
  return { ...options, ...seen, ...(least === 0 ? {} : { minVersion: least }) };
}

const rowTagText = (version: number, tag: string | undefined): string =>
  entityTagText(tag === undefined ? { version } : { version, tag });

/**
 * The entity tag of a query's answer, which has no version: a digest of the answer. It begins as no row's tag does, so
 * that `If-Match` never takes one for the other.
 */
const answerTagText = (value: JsonValue): string =>
  `"q.${createHash('sha256')
    .update(jsonText([value]))
    .digest('base64url')
    .slice(0, 22)}"`;

/** A row's entity tag or that of a query's answer; raw entries have none. */
function entityTagOfRead(
  { resource }: Key,
  version: number | null,
  tag: string | undefined,
  value: JsonValue,
): Record<string, string> {
  if (version !== null) return { ETag: rowTagText(version, tag) };
  return isDerived(resource) ? { ETag: answerTagText(value) } : {};
}

/** A write, and the columns in its body that the database computes. */
export interface AskedWrite {
  request: WriteRequest;
  repeated: RepeatedColumns | null;
}

/** What a write asks for. @throws LockstepError `INVALID` */
export function writeRequest(
  op: WriteOp,
  key: Key,
  body: JsonValue | undefined,
  conditions: Preconditions,
  prefix?: string,
): AskedWrite {
  assertHasRows(key.resource);
  const { ifMatch, onlyCreate = false, idempotencyKey, waitTimeoutMs, leaseId } = conditions;
  if (onlyCreate && op !== 'put') throw invalidField('If-None-Match', 'goes with PUT only');
  if (onlyCreate && ifMatch !== undefined)
    throw invalidField('If-None-Match', 'does not go with If-Match');
  if (ifMatch === 'any' && op === 'put') {
    throw invalidField(
      'If-Match',
      'must be one entity tag as a read has given it, such as "7"; PATCH is what changes an existing row only',
    );
  }
  const { change, repeated } =
    op === 'put'
      ? putChange(key, body, onlyCreate, prefix)
      : op === 'patch'
        ? patchChange(key, body, prefix)
        : { change: { op }, repeated: null };
  const request: WriteRequest = { key, change };
  // `any` asks only for what PATCH and DELETE need anyway: that the row is there, else 404 (RFC 9110, 13.2.1).
  if (ifMatch !== undefined && ifMatch !== 'any') {
    request.ifMatch = ifMatch.version;
    if (ifMatch.tag !== undefined) request.ifMatchTag = ifMatch.tag;
  }
  if (waitTimeoutMs !== undefined) request.waitTimeoutMs = waitTimeoutMs;
  if (leaseId !== undefined) request.leaseId = leaseId;
  if (idempotencyKey !== undefined) {
    request.idempotency = {
      key: idempotencyKey,
      requestHash: requestHash(key, change, conditions),
    };
  }
  if (repeated === null) return { request, repeated };
  const columns = { key, given: repeated, prefix: prefix ?? '' };
  if (idempotencyKey !== undefined) throw invalid(refusedBesideIdempotencyKey(columns));
  return { request, repeated: columns };
}

const writeAnswer = (receipt: WriteReceipt, before: Token | undefined): Answer =>
  receiptAnswer(receipt, writeTokenText(receipt, before));

/** @param token of a write by itself; absent: the whole transaction has one */
function receiptAnswer(receipt: WriteReceipt, token?: string): Answer {
  const { key, created, version, value, outcome, cache, policy, fence, waitMs, replayed } = receipt;
  const headers: Record<string, string> = { ETag: entityTagText({ version }) };
  if (replayed) headers['Idempotent-Replayed'] = 'true';
  const body = {
    resource: key.resource.name,
    key: keyAsJson(key),
    version,
    value,
    outcome,
    cache,
    policy,
    fence,
    waitMs: Math.round(waitMs * 100) / 100,
  };
  const status = created ? 201 : 200;
  if (token === undefined) return { status, headers, body };
  headers[TOKEN_HEADER] = token;
  return { status, headers, body: Object.assign(body, { token }) };
}

/** Where a row can be read: its path, with the parts of its key percent-encoded. */
const locationOf = ({ resource, parts }: Key): string =>
  `/v1/resources/${encodeURIComponent(resource.name)}/${parts.map(encodeURIComponent).join(',')}`;

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
