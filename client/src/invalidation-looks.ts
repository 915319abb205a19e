/** How a client looks at invalidation streams. The simulation has its own connection. */
import type { InvalidationMessage } from './invalidation-messages.ts';

/** A stream, and up to where it is known; null: not at all. */
export interface KnownStream {
  stream: string;
  lastId: string | null;
}

export interface StreamLook {
  messages: readonly InvalidationMessage[];
  /** Null: the stream is gone, or has no message. */
  newestId: string | null;
}

export interface Look {
  /** In the order of the streams that were asked for. */
  streams: readonly StreamLook[];
  /** All messages that were there when it was sent are in it. */
  isComplete: boolean;
}

/** A connection on which invalidation streams are read. */
export interface InvalidationLooks {
  /** Resolves when it is connected, or closed for good. */
  ready(): Promise<void>;
  /** @throws Error where the cache does not answer, is a replica, or is not the coordinators' */
  look(streams: readonly KnownStream[]): Promise<Look>;
  /** Closes the connection, which fails what waits on it. It then connects again by itself. */
  reconnect(): void;
  close(): void;
}
