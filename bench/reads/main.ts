/**
 * Measures reads by `@lockstep/client` beside plain Redis commands and beside two caching libraries, in one process, in one
 * run, on one Redis, in alternating rounds. bench/README.md says how and why.
 */
import { Command } from 'commander';
import { positive, someOf } from '@lockstep/testkit/command-line';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { median } from '../statistics.ts';
import { alignColumns } from '../text-table.ts';
import { openLockstep } from './by-lockstep.ts';
import { openLibraries } from './libraries.ts';
import { openPlain } from './plain.ts';
import { KEYS, type Reader, type RowName, ROW_NAMES } from './reader.ts';

interface Options {
  rounds: number;
  seconds: number;
  callers: number;
  only?: RowName[];
  json?: boolean;
}

/** What is compared with what. The first is expected to reach at least `goal` times the rate of the second. */
const RATIOS: readonly (readonly [row: RowName, other: RowName, goal: number])[] = [
  ['client-get', 'redis-get', 0.9],
  ['client-get-many', 'redis-mget', 0.8],
  ['client-local', 'bentocache-memory', 1],
  ['client-computed', 'bentocache-redis', 1],
  ['client-computed', 'cacheable-redis', 1],
];

const COLUMNS = 'id bigint primary key, owner text not null, balance bigint not null default 0';
const TABLES_SQL = ['accounts', 'profiles', 'sources']
  .map((table) => `create table ${table} (${COLUMNS});`)
  .join('\n');
const CONFIG = {
  listen: { port: 0 },
  database: { mode: 'embedded', initSql: './reads.sql' },
  resources: {
    account: { table: 'accounts', key: ['id'], ttl: '1h' },
    profile: { table: 'profiles', key: ['id'], ttl: '1h', level: 'local' },
    source: { table: 'sources', key: ['id'] },
    summary: {
      computed: true,
      parameters: { id: 'bigint' },
      dependsOn: [{ resource: 'source', key: { id: 'id' } }],
      ttl: '1h',
    },
  },
};

const command = new Command('bench:reads')
  .description('Reads by the client, beside plain Redis and beside caching libraries')
  .option('--rounds <n>', 'rounds of each row', positive, 8)
  .option('--seconds <n>', 'length of a round', positive, 1)
  .option('--callers <n>', 'concurrent callers', positive, 64)
  .option('--only <rows>', `some of the rows: ${ROW_NAMES.join(',')}`, someOf(ROW_NAMES))
  .option('--json', 'print the report as JSON in the last line');

async function main(options: Options): Promise<void> {
  console.error('Starting an instance…');
  const instance = await startInstance({
    config: CONFIG,
    files: { 'reads.sql': TABLES_SQL },
  });
  try {
    await measure(instance, options);
  } finally {
    await instance.stop();
  }
}

async function measure(instance: Instance, options: Options): Promise<void> {
  const parts = [
    openPlain(instance.runtime.cacheUrl),
    await openLockstep(instance.runtime),
    await openLibraries(instance.runtime.cacheUrl),
  ];
  const readers = parts.flatMap(({ rows }) => rows);
  const chosen = readers.filter(({ name }) => options.only?.includes(name) ?? true);
  try {
    const rates = new Map<RowName, Measured[]>(chosen.map(({ name }) => [name, []]));
    for (const reader of chosen) await rateOf(reader, options);
    for (let round = 0; round < options.rounds; round += 1)
      for (const reader of round % 2 === 0 ? chosen : chosen.toReversed())
        rates.get(reader.name)?.push(await rateOf(reader, options));
    print(rates, options);
  } finally {
    for (const { close } of parts) await close();
  }
}

/** One round of one row. */
interface Measured {
  keysPerSecond: number;
  /** Of this process. On a machine that does other work too, it is more reliable than the rate. */
  cpuMicrosecondsPerKey: number;
}

async function rateOf(
  { read, keysPerCall }: Reader,
  { seconds, callers }: Options,
): Promise<Measured> {
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  const endMs = startedAtMs + seconds * 1_000;
  let calls = 0;
  const call = async (caller: number): Promise<void> => {
    for (let at = caller; performance.now() < endMs; at += callers) {
      await read(at % KEYS);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  const keys = calls * keysPerCall;
  const { user, system } = process.cpuUsage(cpu);
  return {
    keysPerSecond: (keys * 1_000) / (performance.now() - startedAtMs),
    cpuMicrosecondsPerKey: (user + system) / keys,
  };
}

function print(measured: ReadonlyMap<RowName, Measured[]>, { json = false }: Options): void {
  const rows = [...measured].map(([row, all]) => ({
    row,
    keysPerSecond: median(all.map(({ keysPerSecond }) => keysPerSecond)),
    cpuMicrosecondsPerKey: median(all.map((each) => each.cpuMicrosecondsPerKey)),
  }));
  const lines = rows.map(({ row, keysPerSecond, cpuMicrosecondsPerKey }) => [
    row,
    Math.round(keysPerSecond).toLocaleString('en'),
    cpuMicrosecondsPerKey.toFixed(1),
  ]);
  console.log(alignColumns([['row', 'keys/s', 'CPU µs/key'], ...lines]));
  const ratios = RATIOS.flatMap(([row, other, goal]) => {
    const [ones, others] = [measured.get(row), measured.get(other)];
    if (ones === undefined || others === undefined) return [];
    const by = (field: keyof Measured): number =>
      median(ones.map((one, round) => one[field] / (others[round]?.[field] ?? Number.NaN)));
    return [
      { row, other, goal, ratio: by('keysPerSecond'), cpuRatio: by('cpuMicrosecondsPerKey') },
    ];
  });
  console.log('');
  for (const { row, other, goal, ratio, cpuRatio } of ratios)
    console.log(
      `${row} ÷ ${other}: ${ratio.toFixed(2)} (goal ${goal}); CPU time ${cpuRatio.toFixed(2)}`,
    );
  if (json) console.log(JSON.stringify({ rows, ratios }));
}

// Last, so that everything above is there.
command.parse();
await main(command.opts<Options>());
