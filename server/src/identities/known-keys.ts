/**
 * The API keys as this coordinator knows them: all valid ones, in memory, read from the database every second.
 *
 * States
 *   current   the last look succeeded within KNOWN_FOR_MS: calls are answered from memory alone
 *   lost      the database has not answered for longer: no key counts, since any may have been revoked
 *
 * Invariants
 *   - a key counts only as the last look found it: what is created, rotated or revoked counts within LOOK_EVERY_MS and
 *     the time of one look, and a key and a former secret end at their time by this process's monotonic clock
 *   - a call with an unknown key waits for a look that began after it came. Such looks begin at least LEAST_PAUSE_MS apart,
 *     however many calls wait, so that wrong keys cost the database no more than that
 */
import { timingSafeEqual } from 'node:crypto';
import { LockstepError } from '../domain/index.ts';
import { BackgroundLoop } from '../jobs/index.ts';
import { atMost, type Runtime } from '../runtime/index.ts';
import { Access } from './access.ts';
import type { ApiKeyStore, ValidApiKey } from './port.ts';

/** Within this and the time of one statement, a change of the keys counts. */
export const LOOK_EVERY_MS = 1_000;
const LEAST_PAUSE_MS = 200;
/** How long keys count while the database does not answer. */
export const KNOWN_FOR_MS = 5 * 60_000;
/** How long a call with an unknown key waits for a look. */
const LOOK_WAIT_MS = 2_000;
/** How often the use of a key is noted. */
const NOTE_EVERY_MS = 60_000;

/** A caller's token that has the form of a key. */
export interface ShownKey {
  prefix: string;
  /** SHA-256 of the whole token. */
  digest: Buffer;
}

/** Whose key it is. */
export interface KeyHolder {
  id: string;
  access: Access;
}

interface Known extends KeyHolder {
  hash: Buffer;
  untilMs: number;
  former: { hash: Buffer; untilMs: number } | null;
  /** What `access` was made from. */
  made: string;
}

export class KnownKeys {
  readonly #store: Pick<ApiKeyStore, 'valid' | 'noteUsed'>;
  readonly #runtime: Runtime;
  readonly #loop: BackgroundLoop;
  #byPrefix: ReadonlyMap<string, Known> = new Map();
  /** When the last look began that succeeded. */
  #knownAtMs = -Infinity;
  #isFailing = false;
  readonly #used = new Set<string>();
  #notedAtMs: number;

  constructor(store: Pick<ApiKeyStore, 'valid' | 'noteUsed'>, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
    this.#notedAtMs = runtime.clock.nowMs();
    this.#loop = new BackgroundLoop({
      pass: async () => {
        await this.#look();
        await this.#noteUsed();
        return LOOK_EVERY_MS;
      },
      leastPauseMs: LEAST_PAUSE_MS,
      backoff: { minMs: LEAST_PAUSE_MS, maxMs: LOOK_EVERY_MS, jitter: 'equal' },
      onFailure: (error, failuresBefore) => {
        this.#isFailing = true;
        if (failuresBefore > 0) return;
        runtime.log.warn(
          { err: error },
          'API keys cannot be read; those that are known still count',
        );
      },
      runtime,
    });
  }

  /** Resolves once the keys are known, or cannot be read now. */
  async start(): Promise<void> {
    this.#loop.start();
    await this.#loop.wakeAndWait();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /**
   * Whose key it is by what is known now; null if it is nobody's.
   * @throws LockstepError `DATABASE_UNAVAILABLE` while keys are not known
   */
  holderOf({ prefix, digest }: ShownKey): KeyHolder | null {
    const nowMs = this.#runtime.clock.nowMs();
    if (nowMs - this.#knownAtMs > KNOWN_FOR_MS) throw notKnown();
    const known = this.#byPrefix.get(prefix);
    if (known === undefined) return null;
    const { former } = known;
    const isPresent = timingSafeEqual(digest, known.hash);
    const isFormer =
      former !== null && timingSafeEqual(digest, former.hash) && nowMs < former.untilMs;
    if (!(isPresent || isFormer) || nowMs >= known.untilMs) return null;
    this.#used.add(known.id);
    return known;
  }

  /** The same after a look that began after this call. @throws LockstepError `DATABASE_UNAVAILABLE` */
  async soughtHolderOf(shown: ShownKey): Promise<KeyHolder | null> {
    const askedAtMs = this.#runtime.clock.nowMs();
    if (!this.#isFailing)
      await atMost(this.#runtime.timers, LOOK_WAIT_MS, this.#loop.wakeAndWait());
    const holder = this.holderOf(shown);
    if (holder === null && this.#knownAtMs < askedAtMs) throw notKnown();
    return holder;
  }

  async #look(): Promise<void> {
    const beganAtMs = this.#runtime.clock.nowMs();
    const valid = await this.#store.valid();
    const before = this.#byPrefix;
    this.#byPrefix = new Map(
      valid.map((key) => [key.prefix, known(key, beganAtMs, before.get(key.prefix))]),
    );
    this.#knownAtMs = beganAtMs;
    this.#isFailing = false;
  }

  async #noteUsed(): Promise<void> {
    const nowMs = this.#runtime.clock.nowMs();
    if (this.#used.size === 0 || nowMs - this.#notedAtMs < NOTE_EVERY_MS) return;
    this.#notedAtMs = nowMs;
    const used = [...this.#used];
    this.#used.clear();
    await this.#store
      .noteUsed(used)
      .catch((error: unknown) =>
        this.#runtime.log.warn({ err: error }, 'the use of API keys was not noted'),
      );
  }
}

/** What was made of the same scopes before is kept, so that a look makes nothing new where nothing has changed. */
function known(key: ValidApiKey, beganAtMs: number, before: Known | undefined): Known {
  const { id, role, scopes, former, leftMs } = key;
  const made = JSON.stringify([role, scopes]);
  return {
    id,
    hash: Buffer.from(key.secretHash, 'hex'),
    untilMs: leftMs === null ? Infinity : beganAtMs + leftMs,
    former: former && {
      hash: Buffer.from(former.secretHash, 'hex'),
      untilMs: beganAtMs + former.leftMs,
    },
    access: before?.made === made ? before.access : new Access(role, scopes),
    made,
  };
}

const notKnown = (): LockstepError =>
  new LockstepError(
    'DATABASE_UNAVAILABLE',
    'The database does not answer, so that it is not known whether this API key is valid.',
  );
