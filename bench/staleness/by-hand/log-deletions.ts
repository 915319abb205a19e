import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamOptions } from '../../../server/src/dialects/postgres/change-log/stream.ts';

export type LogMessage = Parameters<StreamOptions['onMessage']>[0];

const RETRY_MS = 20;
const MAX_WAITING_KEYS = 10_000;

export interface LogDeletionsOptions {
  /** Rejects if it is unknown whether they are deleted. */
  deleteSurely: (keys: readonly number[]) => Promise<void>;
  /** Everything before the position was deleted. */
  confirm: (position: string) => void;
  /** Aborts when nothing more is to be tried. */
  signal: AbortSignal;
}

/**
 * Deletes the keys that one stream of the change log reports as updated. Keys that arrive during a deletion go into the
 * next.
 */
export class LogDeletions {
  readonly #options: LogDeletionsOptions;
  #keys: number[] = [];
  /** The end of the last transaction whose keys were all taken. */
  #position: string | null = null;
  #deleting: Promise<void> | null = null;

  constructor(options: LogDeletionsOptions) {
    this.#options = options;
  }

  /** @returns a promise to wait for before giving more; null if there is room */
  take(message: LogMessage): Promise<void> | null {
    if (message.tag === 'commit') this.#position = message.commitEndLsn;
    if (message.tag !== 'update') return null;
    this.#keys.push(Number(message.new.id));
    this.#deleting ??= this.#deleteAll();
    return this.#keys.length > MAX_WAITING_KEYS ? this.#deleting : null;
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    await this.#deleting;
  }

  async #deleteAll(): Promise<void> {
    const { deleteSurely, confirm, signal } = this.#options;
    while (this.#keys.length > 0 && !signal.aborted) {
      const [keys, position] = [this.#keys, this.#position];
      this.#keys = [];
      try {
        await deleteSurely(keys);
        if (position !== null) confirm(position);
      } catch {
        this.#keys = [...keys, ...this.#keys];
        await sleep(RETRY_MS);
      }
    }
    this.#deleting = null;
  }
}
