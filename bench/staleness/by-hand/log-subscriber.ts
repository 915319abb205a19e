import { setTimeout as sleep } from 'node:timers/promises';
import { PgStream, type StreamOptions } from '../../../server/src/changelog/pg/stream.ts';
import { systemRuntime } from '../../../server/src/runtime/index.ts';
import type { ServiceOptions } from './protocol.ts';

type Message = Parameters<StreamOptions['onMessage']>[0];

const RETRY_MS = 20;
/** How soon a process asks for the slot again that another one has. */
const TAKE_OVER_MS = 100;
const MAX_WAITING_KEYS = 10_000;
const FROM_WHERE_THE_SLOT_IS = '0/0';
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * A subscriber of the database's change log that deletes what was changed. Each of the service's processes has one; the
 * slot is one's at a time, and the next one's when that one is gone. A position is confirmed when everything before it
 * was deleted, so that a subscriber that is killed loses nothing.
 */
export class LogSubscriber {
  readonly #options: ServiceOptions;
  readonly #deleteSurely: (keys: readonly number[]) => Promise<void>;
  readonly #ending = new AbortController();
  readonly #runtime = systemRuntime(quiet);
  #keys: number[] = [];
  /** The end of the last transaction of which all keys were taken. */
  #position = FROM_WHERE_THE_SLOT_IS;
  #deleting: Promise<void> | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ServiceOptions, deleteSurely: (keys: readonly number[]) => Promise<void>) {
    this.#options = options;
    this.#deleteSurely = deleteSurely;
  }

  begin(): void {
    this.#running = this.#follow();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    const { databaseUrl: connection, table } = this.#options;
    while (!signal.aborted) {
      const stream: PgStream = new PgStream(
        {
          ...{ connection, slot: table, publication: table, runtime: this.#runtime },
          onMessage: (message) => this.#take(message, stream),
          onCaughtUp: () => undefined,
        },
        FROM_WHERE_THE_SLOT_IS,
      );
      // Another process has the slot, or the way to the database is cut: it is tried again.
      await stream.run(signal).catch(() => undefined);
      await this.#deleting;
      if (!signal.aborted) await sleep(TAKE_OVER_MS);
    }
  }

  #take(message: Message, stream: PgStream): Promise<void> | null {
    if (message.tag === 'commit') this.#position = message.commitEndLsn ?? this.#position;
    if (message.tag !== 'update') return null;
    this.#keys.push(Number(message.new.id));
    this.#deleting ??= this.#deleteAll(stream);
    return this.#keys.length > MAX_WAITING_KEYS ? this.#deleting : null;
  }

  /** Whatever came during one deletion goes with the next one. */
  async #deleteAll(stream: PgStream): Promise<void> {
    while (this.#keys.length > 0 && !this.#ending.signal.aborted) {
      const [keys, position] = [this.#keys, this.#position];
      this.#keys = [];
      try {
        await this.#deleteSurely(keys);
        stream.acknowledge(position);
      } catch {
        this.#keys = [...keys, ...this.#keys];
        await sleep(RETRY_MS);
      }
    }
    this.#deleting = null;
  }
}
