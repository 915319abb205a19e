/**
 * Measures Lockstep over HTTP beside the same work written by hand, in one run, on the same embedded servers, in
 * alternating rounds. bench/README.md says how and why.
 */
import { Command } from 'commander';
import { positive, someOf } from '@lockstep/testkit/command-line';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import type { DatabaseClient } from '@lockstep/testkit/servers';
import { openByClient } from './by-client.ts';
import { openBare, openRedisSemaphore, openRedlock } from './by-hand.ts';
import { openBentocache, openCacheable } from './by-libraries.ts';
import type { Contender, Servers } from './contender.ts';
import { openOverHttp } from './over-http.ts';
import { EXTRA_ROWS, formatReport, ROW_NAMES, summarize, type RowName } from './report.ts';
import { runRound, type RoundResult } from './round.ts';
import { type MysqlShop, startMysqlShop } from './mysql-shop.ts';
import { KEY_COUNT, MYSQL_TABLES_SQL, TABLES_SQL } from './tables.ts';

interface Options {
  quick?: boolean;
  mariadb?: boolean;
  json?: boolean;
  rounds?: number;
  seconds?: number;
  callers: number;
  only?: RowName[];
}

// Many short rounds rather than few long ones, so that other work on the machine affects all rows alike.
const FULL = { rounds: 15, seconds: 5, warmUpSeconds: 5 };
const QUICK = { rounds: 6, seconds: 2, warmUpSeconds: 2 };

/** Callers wait as long as those of the hand-written contender. */
const LOCK_TIMES = { ttl: '8s', waitTimeout: '30s' };

const command = new Command('bench')
  .description('Benchmark beside the same work written by hand')
  .option('--quick', 'six short rounds, in about four minutes')
  .option('--mariadb', 'on MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, instead of PostgreSQL')
  .option('--json', 'print the report as JSON in the last line')
  .option('--rounds <n>', 'rounds of each row', positive)
  .option('--seconds <n>', 'length of a round', positive)
  .option('--callers <n>', 'concurrent callers', positive, 64)
  .option('--only <rows>', `some of the rows: ${ROW_NAMES.join(',')}`, someOf(ROW_NAMES));
command.parse();
await main(command.opts<Options>());

async function main(options: Options): Promise<void> {
  const progress = (line: string): void => console.error(line);
  progress('Starting an instance…');
  const shop = options.mariadb === true ? await startMysqlShop(MYSQL_TABLES_SQL) : undefined;
  try {
    await benchmark(options, shop, progress);
  } finally {
    await shop?.stop();
  }
}

async function benchmark(
  options: Options,
  shop: MysqlShop | undefined,
  progress: (line: string) => void,
): Promise<void> {
  const client: DatabaseClient = shop === undefined ? 'pg' : 'mysql2';
  const database =
    shop === undefined
      ? { mode: 'embedded', initSql: './bench.sql' }
      : { client, connection: shop.connection };
  const instance = await startInstance({
    config: { ...instanceConfig(), database },
    files: { 'bench.sql': TABLES_SQL },
  });
  let verifying: Instance | undefined;
  try {
    const { url, serviceToken, databaseUrl, cacheUrl, lockUrls } = instance.runtime;
    const connection = shop?.connection ?? databaseUrl;
    const servers = { url, serviceToken, client, databaseUrl: connection, cacheUrl, lockUrls };
    if (options.only?.some((row) => EXTRA_ROWS.has(row)) === true)
      verifying = await startVerifying(servers);
    const results = await measure({ ...servers, verifying: verifying?.runtime }, options, progress);
    const report = summarize(results);
    console.log(formatReport(report));
    if (options.json === true) console.log(JSON.stringify(report));
    if (report.rows.some((row) => row.errors > 0)) {
      progress('Some writes failed: these numbers say nothing.');
      process.exitCode = 1;
    }
  } catch (error) {
    progress(instance.logTail());
    throw error;
  } finally {
    await verifying?.dispose();
    await instance.dispose();
  }
}

/** A second coordinator on the same servers, with `strict.verifyIntent`. */
function startVerifying({ client, databaseUrl, cacheUrl, lockUrls }: Servers): Promise<Instance> {
  return startInstance({
    config: {
      ...instanceConfig(),
      database: { client, connection: databaseUrl },
      cache: { url: cacheUrl },
      locks: { nodes: lockUrls, ...LOCK_TIMES },
      strict: { verifyIntent: true },
    },
  });
}

async function measure(
  servers: Servers,
  options: Options,
  progress: (line: string) => void,
): Promise<Map<RowName, RoundResult[]>> {
  const plan = { ...(options.quick === true ? QUICK : FULL), ...definedOnly(options) };
  const names = ROW_NAMES.filter((name) => options.only?.includes(name) ?? !EXTRA_ROWS.has(name));
  const contenders = new Map(
    names.map((name) => [name, openContender(name, servers, options.callers)]),
  );
  const results = new Map<RowName, RoundResult[]>(names.map((name) => [name, []]));
  const run = (name: RowName, contender: Contender, seconds: number): Promise<RoundResult> =>
    runRound(contender.write, {
      callers: options.callers,
      durationMs: seconds * 1000,
      keys: name.endsWith('-hot') ? 1 : KEY_COUNT,
    });
  try {
    for (const [name, contender] of contenders) await run(name, contender, plan.warmUpSeconds);
    for (let round = 1; round <= plan.rounds; round++) {
      for (const [name, contender] of contenders) {
        const result = await run(name, contender, plan.seconds);
        results.get(name)?.push(result);
        progress(
          `round ${round} of ${plan.rounds}  ${name.padEnd(20)} ${result.opsPerSecond.toFixed(0)} writes/s`,
        );
        if (result.firstError !== null)
          progress(`  ${result.errors} errors, the first: ${result.firstError}`);
      }
    }
  } finally {
    await Promise.all([...contenders.values()].map((contender) => contender.close()));
  }
  return results;
}

function openContender(name: RowName, servers: Servers, callers: number): Contender {
  switch (name) {
    case 'bare':
    case 'bare-hot':
      return openBare(servers);
    case 'redlock':
    case 'redlock-hot':
      return openRedlock(servers);
    case 'redis-semaphore':
    case 'redis-semaphore-hot':
      return openRedisSemaphore(servers);
    case 'bentocache':
      return openBentocache(servers);
    case 'cacheable':
      return openCacheable(servers);
    case 'delete-after-write':
      return openOverHttp(servers, 'delete-after-write', callers);
    case 'strict':
    case 'strict-hot':
      return openOverHttp(servers, 'strict', callers);
    case 'client-delete-after-write':
      return openByClient(servers, 'delete-after-write', false);
    case 'client-strict':
    case 'client-strict-hot':
      return openByClient(servers, 'strict', false);
    case 'client-keyed-delete-after-write':
      return openByClient(servers, 'delete-after-write', true);
    case 'client-keyed-strict':
      return openByClient(servers, 'strict', true);
    case 'strict-verified':
    case 'strict-verified-hot':
      if (servers.verifying === undefined)
        throw new Error(`${name} needs a coordinator of its own`);
      return openOverHttp(servers.verifying, 'strict-verified', callers);
  }
}

/** A production configuration. */
function instanceConfig(): object {
  const resource = { key: ['id'], columns: ['id', 'owner', 'value', 'updated_at'], ttl: '10m' };
  return {
    cache: { mode: 'embedded' },
    locks: { mode: 'embedded', ...LOCK_TIMES },
    resources: {
      'delete-after-write': {
        ...resource,
        table: 'bench_delete_after_write',
        cacheKey: 'bench_delete_after_write:{id}',
        policy: 'delete-after-write',
      },
      strict: {
        ...resource,
        table: 'bench_strict',
        cacheKey: 'bench_strict:{id}',
        policy: 'strict',
      },
      'strict-verified': {
        ...resource,
        table: 'bench_strict_verified',
        cacheKey: 'bench_strict_verified:{id}',
        policy: 'strict',
      },
    },
  };
}

function definedOnly({ rounds, seconds }: Options): { rounds?: number; seconds?: number } {
  return {
    ...(rounds === undefined ? {} : { rounds }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}
