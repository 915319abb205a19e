/** A client's own connection for invalidation streams, on the simulated cache. */
import type { InvalidationLooks, Look } from '../../../client/src/invalidation-looks.ts';
import type { MemoryStreams } from '../servers/memory-streams.ts';
import type { CacheLink } from '../world/cache-link.ts';
import type { Scheduler } from '../world/scheduler.ts';

/** `XREAD BLOCK` answers as soon as there is a message; here it is asked again and again. */
const POLL_MS = 5;

export interface StreamLooksOptions {
  streams: MemoryStreams;
  link: Pick<CacheLink, 'isUp' | 'send'>;
  scheduler: Pick<Scheduler, 'nowMs' | 'after'>;
  /** How long a look waits for a message. */
  waitMs: number;
}

export function streamLooksOn(options: StreamLooksOptions): InvalidationLooks {
  const { streams, link, scheduler, waitMs } = options;
  const sleep = (): Promise<void> =>
    new Promise((resolve) => void scheduler.after(POLL_MS, resolve));
  return {
    ready: async () => {
      while (!link.isUp) await sleep();
    },
    look: async (known) => {
      const untilMs = scheduler.nowMs + waitMs;
      const waits = known.some(({ lastId }) => lastId !== null);
      for (;;) {
        const look = await link.send('look', '', () => streams.look(known));
        if (!waits || hasMessages(look) || scheduler.nowMs >= untilMs) return look;
        await sleep();
      }
    },
    // The link connects again by itself.
    reconnect: () => undefined,
    close: () => undefined,
  };
}

const hasMessages = ({ streams }: Look): boolean =>
  streams.some(({ messages }) => messages.length > 0);
