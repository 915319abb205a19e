import { setTimeout as sleep } from 'node:timers/promises';
import { PgStream } from '../../../server/src/dialects/postgres/change-log/stream.ts';
import { systemRuntime } from '../../../server/src/runtime/index.ts';
import { LogDeletions } from './log-deletions.ts';
import type { ServiceOptions } from './protocol.ts';

/** How soon a process asks again for a slot that another process has. */
const TAKE_OVER_MS = 100;
const WHERE_THE_SLOT_IS = '0/0';
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * A subscriber of the database's change log that deletes changed keys. Each of the service's processes has one, but
 * only one of them has the slot at a time; when it is gone, another takes over. A position is confirmed when everything
 * before it was deleted, so that a killed subscriber loses nothing.
 */
export class LogSubscriber {
  readonly #options: ServiceOptions;
  readonly #deleteSurely: (keys: readonly number[]) => Promise<void>;
  readonly #ending = new AbortController();
  readonly #runtime = systemRuntime(quiet);
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
    while (!signal.aborted) {
      // Another process has the slot, or the connection to the database is cut: it is tried again.
      await this.#stream(signal).catch(() => undefined);
      await sleep(TAKE_OVER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #stream(signal: AbortSignal): Promise<void> {
    const { databaseUrl: connection, table } = this.#options;
    const stream: PgStream = new PgStream(
      {
        ...{ connection, slot: table, publication: table, runtime: this.#runtime },
        onMessage: (message) => deletions.take(message),
        onCaughtUp: () => undefined,
      },
      WHERE_THE_SLOT_IS,
    );
    const deletions = new LogDeletions({
      deleteSurely: this.#deleteSurely,
      confirm: (position) => stream.acknowledge(position),
      signal,
    });
    await stream.run(signal).finally(() => deletions.settled());
  }
}
