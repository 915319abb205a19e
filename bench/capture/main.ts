/**
 * Measures what capture triggers cost a writer, and how many changes a second are noted, invalidated and gone.
 * bench/README.md says how.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { programNamed, whole } from '@lockstep/testkit/command-line';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { repositoryPath } from '@lockstep/testkit/repository';
import { mysqlProduct, startPostgres } from '@lockstep/testkit/servers';
import pg from 'pg';
import { startMysqlShop } from '../mysql-shop.ts';
import { median } from '../statistics.ts';
import { openWriters, rate, ROW_COUNT, TABLES_SQL, type Writers } from './writers.ts';

interface Options {
  seconds: number;
  mariadb?: boolean;
  json?: boolean;
}

/** Rows a second on the table without triggers and on the one with them, and the first by the second. */
interface Cost {
  statement: string;
  without: number;
  with: number;
  cost: number;
}

interface Report {
  database: string;
  costs: Cost[];
  /** From the first change until the last row that was noted is invalidated. */
  sustained: { changes: number; perSecond: number };
}

const ROUNDS = 5;
const STATEMENTS = [
  { statement: 'one row, 8 writers', rows: 1, callers: 8 },
  { statement: '500 rows, 1 writer', rows: 500, callers: 1 },
  { statement: '10,000 rows, 1 writer', rows: 10_000, callers: 1 },
];
const POLL_MS = 20;

const command = programNamed('bench:capture')
  .description('Measures what capture triggers cost writers, and how many changes they carry')
  .option('--seconds <n>', 'length of each part, at most 60', whole(1, 60), 10)
  .option(
    '--mariadb',
    'on a MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, instead of a PostgreSQL',
  )
  .option('--json', 'print the report as JSON in the last line');
command.parse();
await main(command.opts<Options>());

async function main({ seconds, mariadb = false, json = false }: Options): Promise<void> {
  console.error('Starting servers…');
  const database = await (mariadb ? startMysqlShop(TABLES_SQL.mysql2) : startPgShop());
  let instance: Instance | null = null;
  const writers = openWriters(database.connection);
  try {
    instance = await startInstance({
      config: {
        database: { connection: database.connection, capture: 'triggers' },
        cache: { mode: 'embedded' },
        locks: { mode: 'embedded' },
        resources: { item: { table: 'items', key: ['id'], cacheKey: 'item:{id}' } },
      },
    });
    await install(instance.configPath);
    await drained(writers);
    const report: Report = {
      database: mariadb ? mysqlProduct() : 'PostgreSQL',
      costs: await costs(writers, instance, seconds),
      sustained: await sustained(writers, seconds),
    };
    console.log(format(report));
    if (json) console.log(JSON.stringify(report));
  } finally {
    await writers.close();
    await instance?.dispose();
    await database.stop();
  }
}

/** Commits are durable, as in life: without that, all else would seem dear. */
async function startPgShop(): Promise<{ connection: string; stop: () => Promise<void> }> {
  const server = await startPostgres({ args: ['-c', 'fsync=on', '-c', 'full_page_writes=on'] });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(TABLES_SQL.pg);
  } finally {
    await client.end();
  }
  return { connection: server.url, stop: () => server.stop() };
}

async function install(config: string): Promise<void> {
  const lockstep = repositoryPath('scripts/lockstep.mjs');
  await promisify(execFile)(process.execPath, [lockstep, 'capture', 'install', '--config', config]);
}

/**
 * In turns, so that other work on the machine affects both tables alike. The coordinator stands still meanwhile: it may
 * well run on another machine, and its work is measured by itself.
 */
async function costs(writers: Writers, instance: Instance, seconds: number): Promise<Cost[]> {
  const found: Cost[] = [];
  for (const { statement, ...shape } of STATEMENTS) {
    const rates: Record<'twins' | 'items', number[]> = { twins: [], items: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const table of ['twins', 'items'] as const) {
        process.kill(instance.pid, 'SIGSTOP');
        try {
          rates[table].push(
            await rate(writers, table, { ...shape, seconds: seconds / ROUNDS / 2 }),
          );
        } finally {
          process.kill(instance.pid, 'SIGCONT');
        }
        await drained(writers);
      }
    }
    const [without, withThem] = [median(rates.twins), median(rates.items)];
    found.push({ statement, without, with: withThem, cost: without / withThem });
  }
  return found;
}

async function sustained(writers: Writers, seconds: number): Promise<Report['sustained']> {
  const rows = 500;
  const startMs = performance.now();
  let changes = 0;
  for (let first = 0; performance.now() - startMs < seconds * 1_000; changes += rows) {
    await writers.change('items', first, rows);
    first = (first + rows) % ROW_COUNT;
    // No more is ahead of the coordinator than it can take: what counts is what both keep up.
    if (changes % (rows * 20) === 0) while ((await writers.left()) > 5_000) await sleep(POLL_MS);
  }
  await drained(writers);
  return { changes, perSecond: (changes * 1_000) / (performance.now() - startMs) };
}

async function drained(writers: Writers): Promise<void> {
  while ((await writers.left()) > 0) await sleep(POLL_MS);
}

function format({ database, costs: all, sustained: { changes, perSecond } }: Report): string {
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  return [
    database,
    ...all.map(
      (each) =>
        `  ${each.statement}: ${whole(each.without)} rows a second without triggers, ${whole(each.with)} with them: cost ${each.cost.toFixed(2)}`,
    ),
    `  ${whole(changes)} changes noted and invalidated at ${whole(perSecond)} a second`,
  ].join('\n');
}
