import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ServiceOptions } from './protocol.ts';

const BATCH = 100;
/** How long it waits for a message before it checks whether to stop. */
const BLOCK_MS = 200;
const RETRY_MS = 20;

/**
 * A queue of keys to delete, and its consumer. It is a Redis stream on a separate server without faults, because a
 * message broker is not the cache. A message stays until its deletion was confirmed, so that a killed consumer finds it
 * again.
 */
export class DeletionQueue {
  readonly #stream: string;
  readonly #sender: Redis;
  readonly #receiver: Redis;
  readonly #deleteSurely: (keys: readonly number[]) => Promise<void>;
  #isEnding = false;
  #running: Promise<void> | null = null;

  constructor(
    { table, index, lockUrls }: ServiceOptions,
    deleteSurely: (keys: readonly number[]) => Promise<void>,
  ) {
    const [url] = lockUrls;
    if (url === undefined) throw new RangeError('A queue needs a server');
    this.#stream = `${table}:deletions:${index}`;
    this.#sender = new Redis(url, { enableAutoPipelining: true });
    this.#receiver = new Redis(url);
    for (const client of [this.#sender, this.#receiver]) client.on('error', () => undefined);
    this.#deleteSurely = deleteSurely;
  }

  /** A message that cannot be sent is dropped, because the row is already committed. */
  async send(key: number): Promise<void> {
    await this.#sender.xadd(this.#stream, '*', 'key', key).catch(() => undefined);
  }

  /** Starts the consumer. */
  begin(): void {
    this.#running = this.#consume();
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    await this.#running;
    this.#sender.disconnect();
    this.#receiver.disconnect();
  }

  async #consume(): Promise<void> {
    while (!this.#isEnding) {
      const messages = await this.#next();
      if (messages.length === 0) continue;
      const keys = messages.map(([, fields]) => Number(fields[1]));
      const isDone = await this.#deleteSurely(keys).then(
        () => true,
        () => false,
      );
      if (isDone) await this.#receiver.xdel(this.#stream, ...messages.map(([id]) => id));
      else await sleep(RETRY_MS);
    }
  }

  /** The oldest messages. */
  async #next(): Promise<[id: string, fields: string[]][]> {
    const from = ['STREAMS', this.#stream, '0'] as const;
    const answer = await this.#receiver.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, ...from);
    return answer?.[0]?.[1] ?? [];
  }
}
