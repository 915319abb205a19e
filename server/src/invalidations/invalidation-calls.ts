/**
 * Does the cache step of `lockstep_invalidate`, which other programs call in their own transactions, and of the rows that
 * capture triggers note in them.
 *
 * One coordinator leads and asks for committed calls every few milliseconds. The others look a few times a second for
 * calls that the leader has left: because it died, or because it does not know their resource yet.
 *
 * States: stopped <-> running, one pass at a time
 *   leading    a pass takes all calls that are due; the next one follows after `pollMs`, or at once if there were many
 *   following  a pass takes what the leader has left, and every now and then an election
 *   blocked    the cache or the database is away: looks again after a short backoff; no call becomes a dead letter for that
 *
 * Invariants
 *   - W19: a call's row is removed only after every cache key that it is known to make wrong was invalidated, or with its
 *     dead letter
 *   - W20: no call holds up another one: one that fails waits by itself
 *   - a failure of the cache as a whole never counts as an attempt
 *   - leadership only saves work: a call that two coordinators take is done twice, which does no harm
 */
import type { EntryScanner, EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import { LockstepError, type Telemetry } from '../domain/index.ts';
import {
  BackgroundLoop,
  type BackoffOptions,
  type Leadership,
  type LeadershipTerm,
} from '../jobs/index.ts';
import { judgeSteps, type KnownResources, OutboxCleanup } from '../outbox/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { capturedRows } from './captured.ts';
import { invalidateCaptured, invalidateKeys } from './key-steps.ts';
import {
  type CallPlan,
  type CapturedCall,
  type KeyCall,
  planCalls,
  type PrefixCall,
  type UnknownCall,
} from './plan.ts';
import type { CallStore, InvalidationCall, Postponement } from './port.ts';
import { PrefixSweeps } from './prefix-sweeps.ts';

/** The leader's job among those of the cluster. */
const JOB = 'invalidate:calls';
/** The most calls in one pass, and the fewest when the cache is too slow for more. */
const MAX_BATCH_CALLS = 500;
const MIN_BATCH_CALLS = 20;
/** A pass takes at most so many captured rows for each call that it may take, but one call at least. */
const ROWS_PER_CALL = 20;
const DEFAULT_POLL_MS = 5;
const FOLLOWER_POLL_MS = 250;
/** How old a call must be before a follower takes it. */
const LEFT_AFTER_MS = 250;
const ELECT_EVERY_MS = 2_000;
const BLOCKED_BACKOFF: BackoffOptions = { minMs: 50, maxMs: 500, jitter: 'equal' };
/** For so long a call that is being swept is not offered again. If this process dies, another one sweeps after it. */
const SWEEP_CLAIM_MS = 5_000;
const UNKNOWN_RETRY_MS = 2_000;
/** A call whose resource no coordinator has known for so long becomes a dead letter. */
const UNKNOWN_FOR_MS = 300_000;

const CACHE_AWAY = 'the cache does not answer; invalidations wait and are done when it is back';
const DATABASE_AWAY = 'the database does not answer';

export interface InvalidationCallsOptions extends KnownResources {
  store: CallStore;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  scanner: Pick<EntryScanner, 'scan'>;
  /** Tells clients to forget these resources. */
  forgetLocal: (resources: readonly string[]) => Promise<void>;
  rows: Pick<RowStore, 'readMany'>;
  leadership: Pick<Leadership, 'elect'>;
  telemetry: Telemetry;
  runtime: Runtime;
  /** How long the leader waits between two looks. Default 5 ms. */
  pollMs?: number;
}

/** What became of a call's steps. */
interface DoneSteps {
  done: (KeyCall | CapturedCall)[];
  postponed: Postponement[];
  isAway: boolean;
}

/** Ends a pass that found the cache away. */
class Blocked extends Error {}

/** Does nothing until `start`. */
export class InvalidationCalls {
  readonly #options: InvalidationCallsOptions;
  readonly #loop: BackgroundLoop;
  readonly #cleanup: OutboxCleanup;
  readonly #sweeps: PrefixSweeps;
  #term: LeadershipTerm | null = null;
  #electAtMs = -Infinity;
  #batchCalls = MAX_BATCH_CALLS;
  #blocked: string | null = null;
  /** Resources that calls named and that are not known here, why they are not, and when they were last seen. */
  readonly #unknown = new Map<string, { why: string; seenAtMs: number }>();

  constructor(options: InvalidationCallsOptions) {
    this.#options = options;
    this.#cleanup = new OutboxCleanup(options.store, options.runtime);
    this.#sweeps = new PrefixSweeps({
      ...options,
      onSwept: (calls) => this.#finish(calls.map(({ call }) => call)),
    });
    this.#loop = new BackgroundLoop({
      pass: async () => {
        const pauseMs = await this.#pass();
        this.#unblock();
        return pauseMs;
      },
      backoff: BLOCKED_BACKOFF,
      onFailure: (error) => this.#block(error),
      runtime: options.runtime,
    });
  }

  start(): void {
    this.#sweeps.start();
    this.#loop.start();
  }

  /** Resolves when the pass in flight has ended and this coordinator no longer leads. Never rejects. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#sweeps.stop();
    await this.#cleanup.stop();
    await this.#resign();
  }

  /** What keeps calls waiting, in words that are safe for everyone; null if nothing does. */
  get fault(): string | null {
    const nowMs = this.#options.runtime.clock.nowMs();
    const unknown = [...this.#unknown].filter(
      ([, { seenAtMs }]) => nowMs - seenAtMs < UNKNOWN_FOR_MS,
    );
    const faults = [
      ...(this.#blocked === null ? [] : [this.#blocked]),
      ...unknown.map(([name, { why }]) => `transactions invalidate ${name}, ${why}`),
    ];
    return faults.length === 0 ? null : faults.join('; ');
  }

  /** Returns the pause until the next pass. @throws if the cache or the database is away */
  async #pass(): Promise<number> {
    const { store, entries, pollMs = DEFAULT_POLL_MS } = this.#options;
    const isLeading = await this.#leads();
    if (!entries.available) throw new Blocked(CACHE_AWAY);
    const limit = this.#batchCalls;
    const found = isLeading ? await store.due(limit) : await store.left(limit, LEFT_AFTER_MS);
    const waiting = found.filter(({ id }) => !this.#cleanup.has(id));
    const calls = withinRows(waiting, limit * ROWS_PER_CALL);
    if (calls.length > 0) await this.#carryOut(calls);
    const isMore = found.length === limit || calls.length < waiting.length;
    if (isMore && calls.length > 0) return 0;
    return isLeading ? pollMs : FOLLOWER_POLL_MS;
  }

  async #leads(): Promise<boolean> {
    if (this.#term?.isLeading === true) return true;
    const { leadership, runtime } = this.#options;
    await this.#resign();
    if (runtime.clock.nowMs() < this.#electAtMs) return false;
    this.#electAtMs = runtime.clock.nowMs() + ELECT_EVERY_MS;
    this.#term = (await leadership.elect(JOB, null)).term;
    return this.#term !== null;
  }

  async #resign(): Promise<void> {
    const term = this.#term;
    this.#term = null;
    await term?.end();
  }

  async #carryOut(calls: readonly InvalidationCall[]): Promise<void> {
    const { store } = this.#options;
    const plan = planCalls(calls, this.#options);
    const { done, postponed, isAway } = await this.#invalidate(plan);
    this.#finish(done.map(({ call }) => call));
    for (const each of done) this.#tell(each);
    // The claim comes first: a sweep that ends at once has its rows removed after it.
    const unable = plan.unknown.filter((each) => !isOfFormerTrigger(each));
    this.#finish(plan.unknown.filter(isOfFormerTrigger).map(({ call }) => call));
    await store.postpone([
      ...postponed,
      ...this.#unable({ ...plan, unknown: unable }),
      ...plan.prefixes.map(claim),
    ]);
    for (const prefix of plan.prefixes) this.#sweeps.ask(prefix);
    // A call is done only as a whole. A cache that cannot do so many in time would otherwise never get one done.
    this.#batchCalls = isAway
      ? Math.max(MIN_BATCH_CALLS, Math.floor(this.#batchCalls / 2))
      : Math.min(MAX_BATCH_CALLS, this.#batchCalls * 2);
    if (isAway) throw new Blocked(CACHE_AWAY);
  }

  /** A call names its row's key first, and then those of other resources over the row. */
  #tell(done: KeyCall | CapturedCall): void {
    const { telemetry, resources } = this.#options;
    const isCaptured = 'cacheKeys' in done;
    for (const key of isCaptured ? done.keys : done.keys.slice(0, 1))
      telemetry.emit({ type: 'invalidated', key, by: 'transaction', version: null });
    const resource = resources.get(done.call.resource);
    if (isCaptured && resource !== undefined)
      telemetry.emit({ type: 'changes-captured', resource, count: done.rows });
  }

  async #invalidate({ keys, captured }: CallPlan): Promise<DoneSteps> {
    const { runtime, entries } = this.#options;
    const result: DoneSteps = { done: [], postponed: [], isAway: false };
    const calls = [...keys, ...captured];
    const steps = [
      ...(keys.length === 0 ? [] : await invalidateKeys(this.#options, keys)),
      ...(captured.length === 0 ? [] : await invalidateCaptured(entries, captured)),
    ];
    for (const [at, each] of calls.entries()) {
      const decided = judgeSteps(each.call, steps[at] ?? [], () => runtime.random.next());
      if (decided.decision === 'done') result.done.push(each);
      else if (decided.decision === 'dead')
        result.postponed.push(this.#dead(each.call, decided.error));
      else if (decided.counted) result.postponed.push({ ...decided, kind: 'retry' });
      // A call that met the cache away stays due, and costs the database nothing.
      else result.isAway = true;
    }
    return result;
  }

  /** The calls that this coordinator cannot carry out: their resource or key is not of its configuration. */
  #unable({ unknown, impossible }: Pick<CallPlan, 'unknown' | 'impossible'>): Postponement[] {
    return [
      ...impossible.map(({ call, error }) => this.#dead(call, error)),
      ...unknown.map((each) => this.#unknownHere(each)),
    ];
  }

  /** A call of a resource that the cluster has switched waits for a coordinator that has followed, however long. */
  #unknownHere({ call, isConfigured }: UnknownCall): Postponement {
    const { id, resource, ageMs } = call;
    const { clock, log } = this.#options.runtime;
    const [error, why] = isConfigured
      ? [`the switch of "${resource}" was not followed`, 'whose switch was not followed here']
      : [`the resource "${resource}" is not configured`, 'which is not configured here'];
    if (!isConfigured && ageMs > UNKNOWN_FOR_MS) return this.#dead(call, error);
    if (!this.#unknown.has(resource))
      log.warn({ resource, why }, 'a transaction invalidates a resource that is not known here');
    this.#unknown.set(resource, { why, seenAtMs: clock.nowMs() });
    return { id, kind: 'unknown', delayMs: UNKNOWN_RETRY_MS, error };
  }

  #dead({ id, resource, parts }: InvalidationCall, error: string): Postponement {
    const { telemetry, runtime } = this.#options;
    const key = JSON.stringify(parts);
    runtime.log.error({ resource, key, error }, 'an invalidation became a dead letter');
    telemetry.emit({ type: 'outbox-dead-lettered', resource, key, error });
    return { id, kind: 'dead', error };
  }

  /** Their cache steps are done. */
  #finish(calls: readonly InvalidationCall[]): void {
    if (calls.length === 0) return;
    for (const { id } of calls) this.#cleanup.add(id);
    const delayMs = Math.max(...calls.map(({ ageMs }) => ageMs));
    this.#options.telemetry.emit({ type: 'calls-carried-out', count: calls.length, delayMs });
  }

  #block(error: unknown): void {
    const reason = reasonOf(error);
    if (this.#blocked === null) {
      const fields = error instanceof Blocked ? { reason } : { reason, err: error };
      this.#options.runtime.log.warn(fields, 'invalidations of transactions wait');
    }
    this.#blocked = reason;
  }

  #unblock(): void {
    if (this.#blocked !== null)
      this.#options.runtime.log.info({}, 'invalidations of transactions are carried out again');
    this.#blocked = null;
  }
}

/**
 * A trigger that outlives its resource notes every change of the table. These are no dead letters: nothing is cached any
 * more that they could make wrong.
 */
const isOfFormerTrigger = ({ call: { changes, ageMs }, isConfigured }: UnknownCall): boolean =>
  !isConfigured && changes !== null && ageMs > UNKNOWN_FOR_MS;

/** The first of the calls, with at most so many captured rows; one call at least. */
function withinRows(calls: readonly InvalidationCall[], rows: number): InvalidationCall[] {
  let left = rows;
  const end = calls.findIndex(({ changes }, at) => {
    left -= changes === null ? 1 : capturedRows(changes);
    return left < 0 && at > 0;
  });
  return end === -1 ? [...calls] : calls.slice(0, end);
}

const claim = ({ call: { id } }: PrefixCall): Postponement => ({
  ...{ id, kind: 'retry', delayMs: SWEEP_CLAIM_MS, counted: false, error: null },
});

function reasonOf(error: unknown): string {
  if (error instanceof Blocked) return error.message;
  if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') return DATABASE_AWAY;
  return 'a pass over the invalidations failed';
}
