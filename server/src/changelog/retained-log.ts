/**
 * Watches how much of its log the database keeps because Lockstep has yet to read it. PostgreSQL keeps it for the
 * replication slot, without a bound unless `max_slot_wal_keep_size` sets one, and stops when its disk is full.
 *
 * States: unknown -> known -> unknown (the last look is older than FRESH_MS, or the database keeps nothing for a reader).
 */
import { BackgroundLoop, type BackoffOptions } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { ChangeSource, RetainedLog } from './port.ts';

const LOOK_EVERY_MS = 10_000;
const FRESH_MS = 30_000;
const BACKOFF: BackoffOptions = { minMs: LOOK_EVERY_MS, maxMs: 60_000, jitter: 'equal' };
/** Without a bound of the database, so much is worth a warning. */
const MUCH_BYTES = 1024 ** 3;
/** With a bound, the share of it that is left when a warning is due. */
const LITTLE_LEFT = 0.25;

export interface RetainedLogWatchOptions {
  source: Pick<ChangeSource, 'retainedLog'>;
  runtime: Runtime;
}

export class RetainedLogWatch {
  readonly #options: RetainedLogWatchOptions;
  readonly #loop: BackgroundLoop;
  #last: { kept: RetainedLog | null; atMs: number } | null = null;
  #isWarned = false;

  constructor(options: RetainedLogWatchOptions) {
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: () => this.#look(),
      backoff: BACKOFF,
      onFailure: (error, before) => {
        if (before > 0) return;
        options.runtime.log.warn(
          { err: error },
          'how much of its log the database keeps is unknown',
        );
      },
      runtime: options.runtime,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Null if it is not known, or the database keeps nothing for a reader. */
  get bytes(): number | null {
    return this.#known()?.bytes ?? null;
  }

  /** One line if the database keeps so much that somebody should act; otherwise null. */
  get warning(): string | null {
    const kept = this.#known();
    return kept === null ? null : warningOf(kept);
  }

  #known(): RetainedLog | null {
    const { clock } = this.#options.runtime;
    if (this.#last === null || clock.nowMs() - this.#last.atMs > FRESH_MS) return null;
    return this.#last.kept;
  }

  async #look(): Promise<number> {
    const { source, runtime } = this.#options;
    const kept = await source.retainedLog();
    this.#last = { kept, atMs: runtime.clock.nowMs() };
    const warning = kept === null ? null : warningOf(kept);
    if (warning !== null && !this.#isWarned) runtime.log.warn({ ...kept }, warning);
    this.#isWarned = warning !== null;
    return LOOK_EVERY_MS;
  }
}

/** One line if the database keeps too much, or will soon discard what was not read; otherwise null. */
export function warningOf({ slot, bytes, leftBytes }: RetainedLog): string | null {
  if (leftBytes === null) {
    if (bytes < MUCH_BYTES) return null;
    return `the database keeps ${inMib(bytes)} of its log for slot ${slot}, without a bound; allowed: a reader that keeps up, or max_slot_wal_keep_size`;
  }
  if (leftBytes >= (bytes + leftBytes) * LITTLE_LEFT) return null;
  return `the database keeps ${inMib(bytes)} of its log for slot ${slot} and discards it after ${inMib(leftBytes)} more: then all entries are swept`;
}

const inMib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
