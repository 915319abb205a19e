/**
 * The strategies as services write them by hand, on `pg` and `ioredis`.
 *
 *   database-then-cache    UPDATE, SET what it wrote
 *   cache-then-database    SET what it is about to write, UPDATE
 *   delete-then-database   DEL, UPDATE
 *   cache-aside            UPDATE, DEL
 *   double-delete          DEL, UPDATE, and DEL once more after a delay
 *   queued-delete          UPDATE, a message; its consumer deletes, and tries again until that succeeds
 *   change-log-delete      UPDATE; a subscriber of the change log deletes, and tries again until that succeeds
 *   routing-by-key         at the key's home, one after the other: SELECT, UPDATE, SET
 *   lock-alone             under a lock of three nodes: SELECT, UPDATE, SET
 *   redlock                the same lock around UPDATE, DEL
 *
 * Readers are the same in all of them: `GET`; on a miss `SELECT`, then `SET … EX`. With `change-log-delete-replica` the
 * `SELECT` goes to a replica; with `routing-by-key` a miss is filled at the key's home, with `lock-alone` under the
 * lock.
 */
import type { Reading } from '../contender.ts';
import { DeletionQueue } from './deletion-queue.ts';
import { KeyLock } from './key-lock.ts';
import { LogSubscriber } from './log-subscriber.ts';
import type { ByHandName, ServiceOptions } from './protocol.ts';
import type { ByHandServers, CachedRow, Change } from './servers.ts';
import { KeyQueues } from './key-queues.ts';

/** The servers as a strategy uses them. */
export type Store = Omit<ByHandServers, 'open' | 'close'>;

export interface Strategy {
  read(key: number): Promise<Reading & { row: CachedRow }>;
  /** @param change gets the row that the writer has read, if the strategy reads one. @returns the row's count */
  write(key: number, change: (row: CachedRow) => Change, reads: boolean): Promise<number>;
  /** Starts background work. */
  begin?(): void;
  close?(): Promise<void>;
}

type Hold = <T>(key: number, work: () => Promise<T>) => Promise<T>;

/** The delay of the second deletion, as articles about this pattern advise. */
const SECOND_DELETE_MS = 500;
const NO_ROW: CachedRow = { n: 0, counter: 0 };

export function strategyOf(options: ServiceOptions, servers: Store): Strategy {
  const { name } = options;
  switch (name) {
    case 'routing-by-key': {
      const queues = new KeyQueues();
      return exclusive(servers, (key, work) => queues.hold(key, work));
    }
    case 'lock-alone': {
      const lock = new KeyLock(options);
      const strategy = exclusive(servers, (key, work) => lock.hold(key, work));
      return { ...strategy, close: () => lock.close() };
    }
    case 'redlock': {
      const lock = new KeyLock(options);
      const plain = cacheAside(servers, writers['cache-aside']);
      const write: Strategy['write'] = (...args) => lock.hold(args[0], () => plain.write(...args));
      return { ...plain, write, close: () => lock.close() };
    }
    case 'queued-delete': {
      const queue = new DeletionQueue(options, (keys) => servers.deleteSurely(keys));
      const plain = cacheAside(servers, async (servers, key, change) => {
        const { n } = await servers.update(key, change);
        await queue.send(key);
        return n;
      });
      return { ...plain, begin: () => queue.begin(), close: () => queue.close() };
    }
    case 'change-log-delete':
    case 'change-log-delete-replica': {
      const subscriber = new LogSubscriber(options, (keys) => servers.deleteSurely(keys));
      const plain = cacheAside(servers, async (servers, key, change) => {
        return (await servers.update(key, change)).n;
      });
      return { ...plain, begin: () => subscriber.begin(), close: () => subscriber.close() };
    }
    case 'double-delete':
      return doubleDelete(servers);
    case 'database-then-cache':
    case 'cache-then-database':
    case 'delete-then-database':
    case 'cache-aside':
      return cacheAside(servers, writers[name]);
  }
}

type Write = (servers: Store, key: number, change: Change) => Promise<number>;
type PlainName = Extract<
  ByHandName,
  'database-then-cache' | 'cache-then-database' | 'delete-then-database' | 'cache-aside'
>;

const writers: Record<PlainName, Write> = {
  'database-then-cache': async (servers, key, change) => {
    const row = await servers.update(key, change);
    await servers.set(key, row);
    return row.n;
  },
  'cache-then-database': async (servers, key, change) => {
    const { row } = await readThrough(servers, key);
    await servers.set(key, { ...row, n: row.n + 1, [change.column]: change.value });
    return (await servers.update(key, change)).n;
  },
  'delete-then-database': async (servers, key, change) => {
    await servers.delete(key);
    return (await servers.update(key, change)).n;
  },
  'cache-aside': async (servers, key, change) => {
    const { n } = await servers.update(key, change);
    await servers.delete(key);
    return n;
  },
};

/** Cache-aside. If a write depends on the row, the writer reads it the way readers do. */
function cacheAside(servers: Store, write: Write): Strategy {
  return {
    read: (key) => readThrough(servers, key),
    write: async (key, change, reads) => {
      const row = reads ? (await readThrough(servers, key)).row : NO_ROW;
      return write(servers, key, change(row));
    },
  };
}

function doubleDelete(servers: Store): Strategy {
  const later = new Set<Promise<void>>();
  const deleteLater = (key: number): void => {
    const deletion = new Promise<void>((resolve) => {
      setTimeout(() => void servers.delete(key).then(resolve), SECOND_DELETE_MS);
    });
    later.add(deletion);
    void deletion.then(() => later.delete(deletion));
  };
  const plain = cacheAside(servers, async (servers, key, change) => {
    const n = await writers['delete-then-database'](servers, key, change);
    deleteLater(key);
    return n;
  });
  return { ...plain, close: async () => void (await Promise.all(later)) };
}

/** Only one caller at a time works on a key. A writer reads the row itself, and puts what it wrote into the cache. */
function exclusive(servers: Store, hold: Hold): Strategy {
  return {
    read: async (key) => {
      const cached = await servers.get(key);
      return cached === null ? hold(key, () => fill(servers, key)) : hit(cached);
    },
    write: (key, change) =>
      hold(key, async () => {
        const row = await servers.update(key, change(await servers.select(key)));
        await servers.set(key, row);
        return row.n;
      }),
  };
}

async function readThrough(servers: Store, key: number): Promise<Reading & { row: CachedRow }> {
  const cached = await servers.get(key);
  return cached === null ? fill(servers, key) : hit(cached);
}

async function fill(servers: Store, key: number): Promise<Reading & { row: CachedRow }> {
  const row = await servers.select(key);
  await servers.set(key, row);
  return { row, n: row.n, fromDatabase: true };
}

const hit = (row: CachedRow): Reading & { row: CachedRow } => ({
  row,
  n: row.n,
  fromDatabase: false,
});
