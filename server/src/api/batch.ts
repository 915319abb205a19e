import { isJsonObject, type JsonObject, type JsonValue } from '@lockstep/shared';
import type { z } from 'zod';
import { type Key, LockstepError, invalidField } from '../domain/index.ts';
import type { ReadOptions } from '../reads/port.ts';
import type { Access } from '../identities/index.ts';
import type { Answer } from './answer.ts';
import { AnswerText, textWithin, within } from './bounded-answers.ts';
import type { ApiServices } from './endpoint.ts';
import type { Call, EndpointFrame } from './endpoint-frame.ts';
import { checkFields } from './fields.ts';
import { assertInsert, type AskedRow } from './inserts.ts';
import type { Operations } from './operations.ts';
import type { ApiLimits } from './ports.ts';
import {
  checkConsistency,
  checkIdempotencyKey,
  checkLeaseId,
  checkVersion,
  entityTagOf,
  type Preconditions,
  waitTimeoutOf,
} from './preconditions.ts';
import { batchOperation } from './schemas.ts';
import { parseToken, type Token } from './token.ts';

/** Bound on the results of all batches whose answers are not written yet. */
const MAX_UNANSWERED_BYTES = 64 * 1024 * 1024;

/** Reads that begin before anything is known of the length of their rows. */
const FIRST_READS = 64;
/** Bound on the reads that begin at once. */
const MOST_READS = 256;

/** What a batch is carried out with. */
export interface BatchServices extends Pick<ApiServices, 'operations' | 'batches'> {
  options: { limits: BatchOptions['limits'] };
  frame: Pick<EndpointFrame, 'problem'>;
}

/** The call that asks for a batch. */
export interface BatchCall {
  call: Pick<Call, 'requestId' | 'access' | 'caller'>;
  /** @throws LockstepError where it is no JSON object */
  body(): Promise<JsonObject>;
}

interface BatchOptions {
  operations: Operations;
  limits: Pick<ApiLimits, 'batchOperations' | 'batchConcurrency' | 'answerBytes'>;
  /** The answer to an operation that failed. */
  failed: (cause: unknown) => Answer;
  caller: string;
  batches: ApiServices['batches'];
}

/** `index`: its place in the batch. */
type Step = AskedOperation<(typeof OPS)[number]> & { index: number };

const OPS = ['put', 'patch', 'delete', 'insert', 'get'] as const;

/**
 * Carries out independent operations and answers each as its single call would have been. Operations on different keys
 * run side by side. Those on one key run in order, and its reads that follow each other are one read; with
 * `"ordered": false` they run side by side too, so that writes of one key share a transaction. The answer is bounded: a
 * read that does not fit any more is `TOO_LARGE`, and a write leaves its value out.
 * @throws LockstepError `INVALID`, `TOO_LARGE` where the batch itself is wrong; nothing of it has run then
 */
export async function runBatch(
  { operations, options, frame, batches }: BatchServices,
  asked: BatchCall,
): Promise<Answer> {
  const { limits } = options;
  const { requestId, access, caller } = asked.call;
  const failed = (cause: unknown): Answer => frame.problem(cause, requestId);
  const body = await asked.body();
  const list = operationList(body, limits.batchOperations);
  const isOrdered = checkOrdered(body['ordered']);
  const batch: BatchOptions = { operations, limits, failed, caller, batches };
  const results = new BatchResults(batch);
  const byKey = new Map<string, Step[]>();
  for (const [index, operation] of list.entries()) {
    try {
      const asked = askedOperation(operations, operation, { schema: batchOperation, ops: OPS });
      assertAllowed(access, asked);
      const key = isOrdered ? keyOf(asked) : null;
      const group = key?.lockKey ?? `by itself ${index}`;
      const steps = byKey.get(group);
      if (steps === undefined) byKey.set(group, [{ ...asked, index }]);
      else steps.push({ ...asked, index });
    } catch (cause) {
      results.addFailed(index, failed(cause));
    }
  }
  try {
    const groups = [...byKey.values()];
    const reads = groups.filter(isOfReads);
    const others = groups.filter((steps) => !isOfReads(steps));
    await Promise.all([
      readTogether(reads, results, (steps) => runInOrder(batch, results, steps, true)),
      runConcurrently(others, limits.batchConcurrency, (steps) =>
        runInOrder(batch, results, steps),
      ),
    ]);
    return { status: 200, text: `{"results":${results.text.list()}}` };
  } finally {
    results.end();
  }
}

/** @throws LockstepError `INVALID` */
function checkOrdered(ordered: JsonValue | undefined): boolean {
  if (ordered !== undefined && typeof ordered !== 'boolean')
    throw invalidField('ordered', 'must be true or false');
  return ordered !== false;
}

/** The results of one batch, within its own bound and that of all batches. */
class BatchResults {
  readonly text: AnswerText;
  readonly #batches: BatchOptions['batches'];
  readonly #maxBytes: number;
  #bytes = 0;
  #reads = 0;

  constructor({ limits, batches }: BatchOptions) {
    this.text = new AnswerText(limits.answerBytes);
    this.#batches = batches;
    this.#maxBytes = limits.answerBytes;
  }

  /** How many more reads fit, if their rows are as long as those before; at least 1. So few of large rows are in memory. */
  get likelyRoom(): number {
    if (this.#reads === 0) return FIRST_READS;
    const fitting = Math.floor(((this.#maxBytes - this.#bytes) * this.#reads) / this.#bytes);
    return Math.min(MOST_READS, Math.max(1, fitting));
  }

  /** @throws LockstepError where a read's result cannot fit, so that nobody need read it */
  assertRoom(): void {
    if (this.text.isFull) throw tooLarge();
    if (this.#batches.bytes < MAX_UNANSWERED_BYTES) return;
    throw new LockstepError(
      'RATE_LIMITED',
      'Too many large batches are in flight in this instance.',
    );
  }

  /** @throws LockstepError `TOO_LARGE` */
  addRead(index: number, text: string): void {
    if (!this.text.addRead(index, text)) throw tooLarge();
    this.#reads += 1;
    this.#bytes += text.length;
    this.#batches.bytes += text.length;
  }

  addWrite(index: number, answer: Answer): void {
    this.text.addWrite(index, resultOf(answer));
  }

  addFailed(index: number, { status, body }: Answer): void {
    this.text.addAlways(index, { status, ...body });
  }

  end(): void {
    this.#batches.bytes -= this.#bytes;
  }
}

/** An answer as one of a batch's: its status and entity tag stand beside its body. */
function resultOf({ status, headers, body }: Answer): Readonly<Record<string, unknown>> {
  const etag = headers?.['ETag'];
  return { status, ...(etag === undefined ? {} : { etag }), ...body };
}

/** The text of a read's result; null where it is longer than `maxBytes`. */
function resultText(read: Answer, maxBytes: number): string | null {
  const { text, ...head } = read;
  if (text === undefined) return textWithin(resultOf(read), maxBytes);
  return within(`${JSON.stringify(resultOf(head)).slice(0, -1)},${text.slice(1)}`, maxBytes);
}

const tooLarge = (): LockstepError =>
  new LockstepError('TOO_LARGE', 'The answer of this batch is full; ask for fewer rows at once.');

/** Null: the database makes the key. */
const keyOf = (asked: AskedOperation<Step['op']>): Key | null =>
  asked.op === 'insert' ? asked.asked.key : asked.key;

/** The operations on one key, in their order. */
async function runInOrder(
  { operations, limits, failed, caller }: BatchOptions,
  results: BatchResults,
  steps: readonly Step[],
  together = false,
): Promise<void> {
  let last = null as { asked: string; text: string } | null;
  for (const step of steps) {
    const { operation, index } = step;
    try {
      if (step.op === 'get') {
        const { key } = step;
        results.assertRoom();
        const asked = steps.length === 1 ? '' : `${key.cacheKey} ${askedBy(operation)}`;
        if (last?.asked !== asked) {
          const options = readOptions(operation);
          if (together) options.together = true;
          const read = await operations.read(key, options, tokenOf(operation), caller);
          const text = resultText(read, limits.answerBytes);
          if (text === null) throw tooLarge();
          last = { asked, text };
        }
        results.addRead(index, last.text);
      } else {
        last = null;
        const conditions = { ...conditionsOf(operation), caller };
        const answer =
          step.op === 'insert'
            ? await operations.insert(step.asked, conditions)
            : await operations.write(step.op, step.key, operation['value'], conditions, 'value');
        results.addWrite(index, answer);
      }
    } catch (cause) {
      results.addFailed(index, failed(cause));
    }
  }
}

const isOfReads = (steps: readonly Step[]): boolean => steps.every(({ op }) => op === 'get');

/** Reads all keys at once, as far as their rows fit into the answer. */
async function readTogether(
  groups: readonly Step[][],
  results: BatchResults,
  run: (steps: Step[]) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < groups.length;) {
    const count = results.likelyRoom;
    await Promise.all(groups.slice(at, at + count).map(run));
    at += count;
  }
}

/** What makes two reads of one key the same. */
const askedBy = ({ consistency, minVersion, token }: JsonObject): string =>
  JSON.stringify([consistency, minVersion, token]);

async function runConcurrently(
  groups: Step[][],
  concurrency: number,
  run: (steps: Step[]) => Promise<void>,
): Promise<void> {
  const waiting = groups.values();
  const work = async (): Promise<void> => {
    // The workers share one iterator: each takes the next key that no other has taken.
    for (const steps of waiting) await run(steps);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, groups.length) }, work));
}

/** @throws LockstepError `INVALID`, `TOO_LARGE` */
export function operationList(body: JsonObject, max: number): JsonValue[] {
  const list = body['operations'];
  if (!Array.isArray(list)) throw invalidField('operations', 'must be a list');
  if (list.length > max) {
    throw new LockstepError(
      'TOO_LARGE',
      `At most ${max} operations go together; these are ${list.length}.`,
    );
  }
  return list;
}

/**
 * What one of several operations asks for.
 * @param note is added to the message about an unknown field
 * @throws LockstepError `INVALID`, `UNKNOWN_RESOURCE`
 */
export function askedOperation<Op extends string>(
  operations: Operations,
  operation: JsonValue,
  { schema, ops, note }: { schema: z.ZodObject; ops: readonly Op[]; note?: string },
): AskedOperation<Op> {
  if (!isJsonObject(operation)) throw invalidField('operation', 'must be an object');
  checkFields(schema, operation, note);
  const op = ops.find((name) => name === operation['op']);
  if (op === undefined) throw invalidField('op', `must be one of ${ops.join(', ')}`);
  const { resource, key, value } = operation;
  if (op !== 'insert') {
    return { op: op as Exclude<Op, 'insert'>, key: operations.keyInBody(resource, key), operation };
  }
  if (key !== undefined)
    throw invalidField('key', 'does not go with insert: its columns stand in value');
  return { op: 'insert', asked: operations.newRow(resource, value, 'value'), operation };
}

/** @throws LockstepError `FORBIDDEN` naming the scope that is missing */
export function assertAllowed(access: Access, one: AskedOperation<(typeof OPS)[number]>): void {
  if (one.op === 'insert') assertInsert(access, one.asked);
  else access.assertKey(one.op === 'get' ? 'read' : 'write', one.key);
}

/** One of several operations. An insert may have no key yet. */
export type AskedOperation<Op extends string> = { operation: JsonObject } & (
  { op: Exclude<Op, 'insert'>; key: Key } | { op: 'insert'; asked: AskedRow }
);

/** @throws LockstepError `INVALID`, `UNKNOWN_LEASE` */
export function conditionsOf(operation: JsonObject): Preconditions {
  const { ifMatch, ifNoneMatch, idempotencyKey, timeout, lease } = operation;
  const token = tokenOf(operation);
  const conditions: Preconditions = {};
  if (ifMatch !== undefined) {
    const isTag = typeof ifMatch === 'string' && ifMatch.startsWith('"');
    conditions.ifMatch = isTag
      ? entityTagOf('ifMatch', ifMatch)
      : { version: checkVersion('ifMatch', ifMatch) };
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== '*') throw invalidField('ifNoneMatch', 'must be *');
    conditions.onlyCreate = true;
  }
  if (idempotencyKey !== undefined) {
    conditions.idempotencyKey = checkIdempotencyKey('idempotencyKey', idempotencyKey);
  }
  if (token !== undefined) conditions.token = token;
  if (lease !== undefined) conditions.leaseId = checkLeaseId(lease);
  if (timeout !== undefined) conditions.waitTimeoutMs = waitTimeoutOf('timeout', timeout);
  return conditions;
}

const tokenOf = ({ token }: JsonObject): Token | undefined =>
  token === undefined ? undefined : parseToken('token', token);

function readOptions({ consistency, minVersion }: JsonObject): ReadOptions {
  const options: ReadOptions = {};
  if (consistency !== undefined) options.consistency = checkConsistency('consistency', consistency);
  if (minVersion !== undefined) options.minVersion = checkVersion('minVersion', minVersion);
  return options;
}
