/**
 * Measures what a strict transaction of a service's own costs: guarded, by the client, and by hand under a Redlock with
 * a SET of the new value. bench/README.md says how.
 */
import { createClient } from '@lockstep/client';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import pg from 'pg';
import Redlock from 'redlock';
import { whole } from '@lockstep/testkit/command-line';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { median, quantileOf } from '../statistics.ts';

interface Options {
  seconds: number;
  rounds: number;
  callers: number;
  json?: boolean;
}

/** A transaction that adds 1 to the row's value, after which nobody reads an older one from the cache. */
interface Contender {
  add(key: number): Promise<void>;
  close(): Promise<void>;
}

/** Of one contender under one load. Times are those of whole transactions, in ms. */
interface Measure {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const ROWS = 10_000;
const LOADS = { spread: ROWS, hot: 1 } as const;
type Load = keyof typeof LOADS;
const LOCK_TTL_MS = 8_000;
const LOCK_RETRY = { retryCount: -1, retryDelay: 50, retryJitter: 50 };
const CONNECTIONS = 16;
const WARM_UP_MS = 1_000;
const TABLE_SQL = `
  create table guarded_items (id bigint primary key, value bigint not null);
  create table redlock_items (id bigint primary key, value bigint not null);
  insert into guarded_items select id, 0 from generate_series(1, ${ROWS}) as id;
  insert into redlock_items select id, 0 from generate_series(1, ${ROWS}) as id;`;
const CONFIG = {
  database: { mode: 'embedded', initSql: './items.sql' },
  cache: { mode: 'embedded' },
  locks: { mode: 'embedded', waitTimeout: '60s' },
  resources: {
    item: { table: 'guarded_items', key: ['id'], cacheKey: 'item:{id}', policy: 'strict' },
  },
};

const command = new Command('bench:guards')
  .description('Compares guarded transactions with transactions under a Redlock')
  .option('--seconds <n>', 'length of each part of a round', whole(1, 60), 5)
  .option('--rounds <n>', 'how often each is measured', whole(1, 20), 3)
  .option('--callers <n>', 'callers at once', whole(1, 64), 8)
  .option('--json', 'print the report as JSON in the last line');
command.parse();
await main(command.opts<Options>());

async function main({ seconds, rounds, callers, json = false }: Options): Promise<void> {
  console.error('Starting servers…');
  const files = { 'items.sql': TABLE_SQL };
  const instance = await startInstance({ config: CONFIG, files });
  const contenders = { guarded: openGuarded(instance), redlock: openRedlock(instance) };
  try {
    const report: Record<string, unknown> = { seconds, rounds, callers };
    for (const load of Object.keys(LOADS) as Load[]) {
      const found = await compare(contenders, load, { seconds, rounds, callers });
      report[load] = found;
      console.log(format(load, found));
    }
    if (json) console.log(JSON.stringify(report));
  } finally {
    await Promise.all(Object.values(contenders).map((each) => each.close()));
    await instance.dispose();
  }
}

interface Comparison {
  guarded: Measure;
  redlock: Measure;
  /** The median of the rounds: guarded transactions for each one under a Redlock. */
  ratio: number;
}

/** In turns, so that other work on the machine affects both alike. */
async function compare(
  { guarded, redlock }: Record<'guarded' | 'redlock', Contender>,
  load: Load,
  { seconds, rounds, callers }: Pick<Options, 'seconds' | 'rounds' | 'callers'>,
): Promise<Comparison> {
  const keys = LOADS[load];
  await run(guarded, keys, callers, WARM_UP_MS);
  await run(redlock, keys, callers, WARM_UP_MS);
  const all: { guarded: Measure; redlock: Measure }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    all.push({
      guarded: await run(guarded, keys, callers, seconds * 1_000),
      redlock: await run(redlock, keys, callers, seconds * 1_000),
    });
  }
  return {
    guarded: medianOf(all.map((each) => each.guarded)),
    redlock: medianOf(all.map((each) => each.redlock)),
    ratio: median(all.map((each) => each.guarded.perSecond / each.redlock.perSecond)),
  };
}

async function run(
  contender: Contender,
  keys: number,
  callers: number,
  forMs: number,
): Promise<Measure> {
  const tookMs: number[] = [];
  const startedAtMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - startedAtMs < forMs) {
      const beganAtMs = performance.now();
      await contender.add(1 + Math.floor(Math.random() * keys));
      tookMs.push(performance.now() - beganAtMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const sorted = Float64Array.from(tookMs).sort();
  return {
    perSecond: tookMs.length / seconds,
    p50Ms: quantileOf(sorted, 0.5),
    p99Ms: quantileOf(sorted, 0.99),
  };
}

function medianOf(all: readonly Measure[]): Measure {
  return {
    perSecond: median(all.map(({ perSecond }) => perSecond)),
    p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
  };
}

function openGuarded({ runtime }: Instance): Contender {
  const client = createClient({
    ...{ url: runtime.url, token: runtime.serviceToken, redis: runtime.cacheUrl },
    timeoutMs: 60_000,
  });
  const pool = openPool(runtime.databaseUrl);
  return {
    add: (key) =>
      client.guard([['item', key]], async (guard) => {
        const [text, values] = guard.sql('item', key, '$');
        await inTransaction(pool, async (connection) => {
          await connection.query(text, values);
          await addOne(connection, 'guarded_items', key);
        });
      }),
    close: async () => {
      await client.close();
      await pool.end();
    },
  };
}

/** As a careful service does it by hand: the lock, its transaction, the new value into the cache, the release. */
function openRedlock({ runtime }: Instance): Contender {
  const pool = openPool(runtime.databaseUrl);
  const cache = new Redis(runtime.cacheUrl, { enableAutoPipelining: true });
  const nodes = runtime.lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const redlock = new Redlock(nodes, LOCK_RETRY);
  return {
    add: async (key) => {
      const lock = await redlock.acquire([`bench:guards:${key}`], LOCK_TTL_MS);
      try {
        const row = await inTransaction(pool, (connection) =>
          addOne(connection, 'redlock_items', key),
        );
        await cache.set(`redlock_item:${key}`, JSON.stringify(row), 'EX', 600);
      } finally {
        await lock.release();
      }
    },
    close: async () => {
      await redlock.quit();
      await Promise.all([pool.end(), cache.quit()]);
    },
  };
}

function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: CONNECTIONS });
}

async function inTransaction<T>(
  pool: pg.Pool,
  work: (connection: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect();
  try {
    await connection.query('begin');
    const result = await work(connection);
    await connection.query('commit');
    return result;
  } catch (error) {
    await connection.query('rollback');
    throw error;
  } finally {
    connection.release();
  }
}

async function addOne(
  connection: pg.PoolClient,
  table: 'guarded_items' | 'redlock_items',
  key: number,
): Promise<object> {
  const { rows } = await connection.query<{ id: string; value: string }>({
    name: table,
    text: `update ${table} set value = value + 1 where id = $1 returning id, value`,
    values: [key],
  });
  const [row] = rows;
  if (row === undefined) throw new Error(`${table} has no row ${key}`);
  return row;
}

function format(load: Load, { guarded, redlock, ratio }: Comparison): string {
  const line = ({ perSecond, p50Ms, p99Ms }: Measure): string =>
    `${Math.round(perSecond)} a second, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
  return [
    `${load} (${LOADS[load]} keys)`,
    `  guarded  ${line(guarded)}`,
    `  redlock  ${line(redlock)}`,
    `  guarded ÷ redlock ${ratio.toFixed(2)}`,
  ].join('\n');
}
