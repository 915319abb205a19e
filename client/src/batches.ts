/**
 * Sends the calls of one tick as one `POST /v1/batch`.
 *
 * States: idle -> scheduled (calls wait for the end of the tick) -> sending (batches are in flight).
 * While fewer than `inFlight` batches are in flight, what waits is sent at the end of the tick. Else it waits for one of
 * them, so that batches grow with the load; but no longer than `LINGER_MS`: one slow operation must not hold up the
 * others. Then another batch goes, on another connection, up to `connections`.
 *
 * Every call of a batch is answered by itself, from the batch's answer.
 */
import { isJsonObject, type JsonValue, parseJson } from '@lockstep/shared/for-clients';
import type { Call } from './call.ts';
import { errorOfProblem, LockstepError } from './errors.ts';
import { tell } from './events.ts';
import type { CoordinatorPort } from './ports.ts';
import type { ClientRuntime, Timer } from './runtime.ts';
import { NoAnswer, type Reply, type Request } from './transport.ts';

const LINGER_MS = 4;
/** The answer to a call whose deadline has passed is of no use. */
const GRACE_MS = 50;
/** What stands around the operations in a body. */
const FRAME_BYTES = 48;

/** A call that can be one operation of a batch. */
export interface BatchedCall extends Call {
  /** Its operation as JSON, as it is to be sent now. */
  text(): string;
}

export interface BatchesOptions {
  kind: 'reads' | 'writes';
  transport: CoordinatorPort;
  /** The coordinator's bounds on one batch. */
  limits: () => { batchOperations: number; bodyBytes: number };
  /** Batches in flight above which more calls wait. */
  inFlight: number;
  /** Most batches in flight. */
  connections: number;
  runtime: ClientRuntime;
}

export class Batches {
  readonly #options: BatchesOptions;
  #waiting: BatchedCall[] = [];
  /** Since when the first of them waits. */
  #waitingSinceMs = 0;
  #inFlight = 0;
  #isScheduled = false;
  #linger: Timer | null = null;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  add(call: BatchedCall): void {
    if (this.#waiting.push(call) === 1) this.#waitingSinceMs = this.#options.runtime.nowMs();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.runtime.soon(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const { inFlight, connections, runtime } = this.#options;
    while (this.#waiting.length > 0 && this.#inFlight < connections) {
      const lingeredMs = runtime.nowMs() - this.#waitingSinceMs;
      if (this.#inFlight >= inFlight && lingeredMs < LINGER_MS) {
        // Whole milliseconds: a smaller rest may be less than the clock can tell.
        if (this.#linger === null)
          this.#linger = runtime.after(Math.ceil(LINGER_MS - lingeredMs), this.#lingered);
        return;
      }
      this.#sendSome();
    }
  };

  readonly #lingered = (): void => {
    this.#linger = null;
    this.#flush();
  };

  /** Sends one batch of the calls that have waited longest. */
  #sendSome(): void {
    const { batchOperations, bodyBytes } = this.#options.limits();
    const calls: BatchedCall[] = [];
    const texts: string[] = [];
    let bytes = FRAME_BYTES;
    let taken = 0;
    for (const call of this.#waiting) {
      if (calls.length >= batchOperations) break;
      if (call.isOver) {
        taken += 1;
        continue;
      }
      const text = call.text();
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > bodyBytes && calls.length > 0) break;
      taken += 1;
      calls.push(call);
      texts.push(text);
    }
    this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken);
    this.#waitingSinceMs = this.#options.runtime.nowMs();
    if (calls.length > 0) void this.#send(calls, texts);
  }

  /** Never rejects. */
  async #send(calls: readonly BatchedCall[], texts: readonly string[]): Promise<void> {
    this.#inFlight += 1;
    const { transport, kind, runtime } = this.#options;
    const startedAtMs = runtime.nowMs();
    let failed = false;
    for (const call of calls) call.noteSent();
    try {
      const timeoutMs = Math.max(...calls.map(({ deadlineMs }) => deadlineMs)) - startedAtMs;
      const body = `{"ordered":false,"operations":[${texts.join()}]}`;
      const request: Request = {
        method: 'POST',
        path: '/v1/batch',
        body,
        timeoutMs: timeoutMs + GRACE_MS,
      };
      this.#deal(calls, await transport.request(request));
    } catch (error) {
      failed = true;
      for (const call of calls) call.failed(errorWithoutAnswer(error, call.spec.isWrite));
    }
    this.#inFlight -= 1;
    const durationMs = runtime.nowMs() - startedAtMs;
    tell('lockstep:batch', { kind, operations: calls.length, durationMs, failed });
    if (this.#waiting.length > 0 && !this.#isScheduled) this.#flush();
  }

  /** Gives each call its answer. */
  #deal(calls: readonly BatchedCall[], reply: Reply): void {
    const results = reply.status === 200 ? resultsIn(reply.text, calls.length) : null;
    if (results === null) {
      this.#refused(calls, reply);
      return;
    }
    for (const [index, call] of calls.entries()) {
      const result = results[index];
      if (isJsonObject(result) && typeof result['status'] === 'number') {
        const error = result['status'] < 400 ? null : errorOfProblem(result);
        if (error === null) call.answered(result);
        // It did not fit beside the others.
        else if (error.code === 'TOO_LARGE' && calls.length > 1) void this.#sendAlone(call);
        else call.failed(error);
      } else call.failed(errorWithoutAnswer(strange(reply), call.spec.isWrite));
    }
  }

  /** The batch as a whole was refused; nothing of it has run then. */
  #refused(calls: readonly BatchedCall[], reply: Reply): void {
    const error = problemIn(reply);
    if (error?.code === 'TOO_LARGE' && calls.length > 1) {
      // This coordinator has tighter bounds than the one that told its own.
      const half = Math.ceil(calls.length / 2);
      for (const some of [calls.slice(0, half), calls.slice(half)]) {
        const open = some.filter((call) => !call.isOver);
        if (open.length > 0)
          void this.#send(
            open,
            open.map((call) => call.text()),
          );
      }
      return;
    }
    for (const call of calls) {
      const own = error ?? errorWithoutAnswer(strange(reply), call.spec.isWrite);
      call.failed(own, reply.retryAfterMs);
    }
  }

  async #sendAlone(call: BatchedCall): Promise<void> {
    if (!call.isOver) await this.#send([call], [call.text()]);
  }
}

function resultsIn(text: string, count: number): JsonValue[] | null {
  try {
    const answer = parseJson(text);
    const results = isJsonObject(answer) ? answer['results'] : null;
    return Array.isArray(results) && results.length === count ? results : null;
  } catch {
    return null;
  }
}

/** The error that an answer tells; null where it is no coordinator's. */
export function problemIn({ status, text }: Reply): LockstepError | null {
  if (status < 400) return null;
  try {
    return errorOfProblem(parseJson(text));
  } catch {
    return null;
  }
}

export const strange = ({ status }: Reply): Error =>
  new Error(`What answered (status ${status}) is no coordinator.`);

/** What a call knows whose request was not answered by a coordinator. */
export function errorWithoutAnswer(cause: unknown, isWrite: boolean): LockstepError {
  const mayHaveArrived = !(cause instanceof NoAnswer) || cause.sent;
  if (isWrite && mayHaveArrived)
    return new LockstepError('OUTCOME_UNKNOWN', 'The write was sent and no answer came.', {
      cause,
    });
  return new LockstepError('COORDINATOR_UNAVAILABLE', 'The coordinator does not answer.', {
    cause,
  });
}
