/**
 * The connection on which a client reads invalidation streams. It is one of its own, because its reads block.
 *
 * Each look asks in this order, in one pipeline: what came after the messages that are known (it waits for one for a
 * while), whether this is the coordinators' cache and no replica of it, and which message is the newest. So what a look
 * answers was true at some moment after it was sent.
 */
import type { Redis } from 'ioredis';
import type { InvalidationLooks, KnownStream, Look } from './invalidation-looks.ts';
import { type InvalidationMessage, readMessages } from './invalidation-messages.ts';

/** Bound on the messages of a stream that one look answers. */
const MAX_MESSAGES = 1_000;
const SERVER_ID_KEY = 'lockstep:server';

export interface InvalidationConnectionOptions {
  /** A connection of the caller's, which keeps and resends no commands. */
  client: Redis;
  /** What the key `lockstep:server` must hold; null while that is not known. */
  serverId: () => string | null;
  /** How long a look waits for a message. */
  waitMs: number;
}

export class InvalidationConnection implements InvalidationLooks {
  readonly #options: InvalidationConnectionOptions;
  #isClosed = false;

  constructor(options: InvalidationConnectionOptions) {
    this.#options = options;
  }

  ready(): Promise<void> {
    const { client } = this.#options;
    if (client.status === 'ready' || client.status === 'end') return Promise.resolve();
    return new Promise((resolve) => {
      const over = (): void => {
        client.off('ready', over);
        client.off('end', over);
        resolve();
      };
      client.on('ready', over);
      client.on('end', over);
    });
  }

  async look(streams: readonly KnownStream[]): Promise<Look> {
    const { client, waitMs } = this.#options;
    const known = streams.filter(({ lastId }) => lastId !== null);
    const commands = client.pipeline();
    if (known.length > 0) {
      const names = known.map(({ stream }) => stream);
      const ids = known.map(({ lastId }) => lastId ?? '');
      commands.xread('COUNT', MAX_MESSAGES, 'BLOCK', waitMs, 'STREAMS', ...names, ...ids);
    }
    commands.getex(SERVER_ID_KEY);
    for (const { stream } of streams) commands.xrevrange(stream, '+', '-', 'COUNT', 1);
    const replies = ((await commands.exec()) ?? []).map(replyOf);
    const messages = messagesByStream(known.length > 0 ? replies.shift() : null);
    this.#assertServer(replies.shift());
    const looks = streams.map(({ stream }, index) => ({
      messages: messages.get(stream) ?? [],
      newestId: readMessages(replies[index])[0]?.id ?? null,
    }));
    const isComplete = looks.every((look) => look.messages.length < MAX_MESSAGES);
    return { streams: looks, isComplete };
  }

  reconnect(): void {
    const { client } = this.#options;
    if (this.#isClosed) return;
    // With Sentinels, a connection that is closed while it is being opened does not do so.
    if (client.status === 'end') client.connect().catch(() => undefined);
    else client.disconnect(true);
  }

  close(): void {
    this.#isClosed = true;
    this.#options.client.disconnect();
  }

  #assertServer(found: unknown): void {
    const wanted = this.#options.serverId();
    if (wanted === null || found !== wanted)
      throw new Error('it is not the cache that the coordinators use');
  }
}

function replyOf([error, reply]: [Error | null, unknown]): unknown {
  if (error !== null) throw error;
  return reply;
}

function messagesByStream(reply: unknown): Map<string, InvalidationMessage[]> {
  const found = new Map<string, InvalidationMessage[]>();
  if (reply === null) return found;
  if (!Array.isArray(reply)) throw new TypeError('The reply is none of a stream.');
  for (const each of reply as unknown[]) {
    const [stream, messages] = each as [unknown, unknown];
    found.set(String(stream), readMessages(messages));
  }
  return found;
}
