/**
 * The invalidation streams of the simulated cache: as `append_message` and `keep-streams.lua` write them, and as a
 * client's look reads them (docs/read-protocol.md, "Invalidation streams").
 */
import type { KnownStream, Look } from '../../../client/src/invalidation-looks.ts';
import type { InvalidationMessage } from '../../../client/src/invalidation-messages.ts';

export interface MemoryStreamsOptions {
  /** The most messages that a stream keeps. */
  length: number;
  /** The server's own wall clock, in ms. */
  wallMs: () => number;
}

const FIRST_BEFORE = '0-0';

interface Message extends InvalidationMessage {
  ms: number;
  count: number;
}

export class MemoryStreams {
  readonly #options: MemoryStreamsOptions;
  readonly #streams = new Map<string, Message[]>();

  constructor(options: MemoryStreamsOptions) {
    this.#options = options;
  }

  /** Begins the stream if it is not there. */
  keep(stream: string): void {
    if (this.#streams.has(stream)) return;
    this.#streams.set(stream, []);
    this.#append(stream, 'all');
  }

  /** Appends a message to the stream, if it is there. */
  invalidated(stream: string, cacheKey: string): void {
    if (this.#streams.has(stream)) this.#append(stream, [cacheKey]);
  }

  look(known: readonly KnownStream[]): Look {
    const streams = known.map(({ stream, lastId }) => {
      const messages = this.#streams.get(stream) ?? [];
      return {
        messages: lastId === null ? [] : messages.filter((message) => isAfter(message, lastId)),
        newestId: messages.at(-1)?.id ?? null,
      };
    });
    return { streams, isComplete: true };
  }

  /** All but the newest message of each stream are gone. */
  trim(): void {
    for (const messages of this.#streams.values()) messages.splice(0, messages.length - 1);
  }

  /** All streams are gone. */
  lose(): void {
    this.#streams.clear();
  }

  #append(stream: string, forget: Message['forget']): void {
    const messages = this.#streams.get(stream) ?? [];
    const last = messages.at(-1);
    const nowMs = Math.floor(this.#options.wallMs());
    // As `XADD *` does where the clock stands still or was set back.
    const isLater = last === undefined || nowMs > last.ms;
    const [ms, count] = isLater ? [nowMs, 0] : [last.ms, last.count + 1];
    messages.push({ id: `${ms}-${count}`, ms, count, before: last?.id ?? FIRST_BEFORE, forget });
    messages.splice(0, messages.length - this.#options.length);
  }
}

function isAfter({ ms, count }: Message, id: string): boolean {
  const [otherMs = 0, otherCount = 0] = id.split('-').map(Number);
  return ms === otherMs ? count > otherCount : ms > otherMs;
}
