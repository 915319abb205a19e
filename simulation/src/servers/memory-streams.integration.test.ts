/** The simulated invalidation streams beside the scripts on Redis, as a client's looks see them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { resource } from '@lockstep/testkit/doubles/resource';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { InvalidationConnection } from '../../../client/src/invalidation-connection.ts';
import type { Look } from '../../../client/src/invalidation-looks.ts';
import { isGap } from '../../../client/src/invalidation-messages.ts';
import { waitingClient } from '../../../client/src/redis-connection.ts';
import { CacheConnection, RedisEntryStore } from '../../../server/src/cache/index.ts';
import { entryOwner, invalidationStream } from '../../../server/src/domain/index.ts';
import { systemRuntime } from '../../../server/src/runtime/index.ts';
import { MemoryStreams } from './memory-streams.ts';

const SERVER_ID = 'the cache';
const CLUSTER = 'c1';
const LONG_MS = 3_600_000;
const STEPS = 300;
const KEYS = ['account:1', 'account:2', 'account:3'];
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const local = resource({ policy: 'delete-after-write', level: 'local' });
const STREAM = invalidationStream(CLUSTER, local.name);

let server: TestRedis;
let connection: CacheConnection;

beforeAll(async () => {
  server = await startRedis();
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
  await connection.ready(10_000);
  await connection.run((redis) => redis.set('lockstep:server', SERVER_ID));
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

/** A reader that follows one stream, whatever it is on. */
class Follower {
  readonly #look: (lastId: string | null) => Promise<Look>;
  #lastId: string | null = null;

  constructor(look: (lastId: string | null) => Promise<Look>) {
    this.#look = look;
  }

  /** What the next look tells to forget. */
  async heard(): Promise<'begins' | 'absent' | 'gap' | readonly ('all' | readonly string[])[]> {
    const [stream] = (await this.#look(this.#lastId)).streams;
    const { messages = [], newestId = null } = stream ?? {};
    if (this.#lastId === null) {
      this.#lastId = newestId;
      return newestId === null ? 'absent' : 'begins';
    }
    if (isGap(this.#lastId, messages, newestId)) {
      this.#lastId = null;
      return 'gap';
    }
    this.#lastId = messages.at(-1)?.id ?? this.#lastId;
    return messages.map(({ forget }) => forget);
  }
}

it('says in each look what the scripts on Redis say, also of streams that lose messages', async () => {
  const streams = new MemoryStreams({ length: 10_000, wallMs: () => Date.now() });
  const ownerOf = (): string => entryOwner(CLUSTER, local);
  const store = new RedisEntryStore(
    connection,
    { leaseTtlMs: LONG_MS, tombstoneTtlMs: LONG_MS, isEntryKey: () => true, ownerOf },
    runtime,
  );
  const client = waitingClient(server.url)?.(5_000);
  if (client === undefined) throw new Error('It is no Cluster');
  const looks = new InvalidationConnection({ client, serverId: () => SERVER_ID, waitMs: 1 });
  await looks.ready();
  const onRedis = new Follower((lastId) => looks.look([{ stream: STREAM, lastId }]));
  const inMemory = new Follower((lastId) =>
    Promise.resolve(streams.look([{ stream: STREAM, lastId }])),
  );
  const random = new SeededRandom(41);
  const heard = new Set<string>();
  try {
    for (let step = 1; step <= STEPS; step += 1) {
      const what = random.weighted({ keep: 3, invalidate: 12, look: 8, trim: 1, lose: 1 });
      if (what === 'keep') {
        streams.keep(STREAM);
        await connection.run(async (redis) => {
          if ((await redis.exists(STREAM)) === 0)
            await redis.xadd(STREAM, '*', 'p', '0-0', 'a', '1');
        });
      } else if (what === 'invalidate') {
        const cacheKey = random.pick(KEYS);
        streams.invalidated(STREAM, cacheKey);
        await store.invalidate(cacheKey, null);
      } else if (what === 'trim') {
        streams.trim();
        await connection.run((redis) => redis.xtrim(STREAM, 'MAXLEN', 1));
      } else if (what === 'lose') {
        streams.lose();
        await connection.run((redis) => redis.del(STREAM));
      } else {
        const told = await inMemory.heard();
        expect(await onRedis.heard(), `step ${step}`).toEqual(told);
        heard.add(typeof told === 'string' ? told : 'messages');
      }
    }
  } finally {
    looks.close();
  }
  expect([...heard].sort()).toEqual(['absent', 'begins', 'gap', 'messages']);
});
