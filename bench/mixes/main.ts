/** Measures requests as caches of a large service get them: strict by the client, and by hand under a Redlock. */
import { Command } from 'commander';
import { whole } from '@lockstep/testkit/command-line';
import { startInstance } from '@lockstep/testkit/instances/instance';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { Zipf } from '../../server/src/demo/zipf.ts';
import { median, quantileOf } from '../statistics.ts';
import { type Contender, openRedlock, openStrict } from './contenders.ts';
import { type Mix, MIXES, type Request, requestAt } from './mixes.ts';

interface Options {
  seconds: number;
  rounds: number;
  callers: number;
  json?: boolean;
}

interface Measure {
  perSecond: number;
  /** Of reads, and of everything else, in ms. */
  readP50Ms: number;
  readP99Ms: number;
  writeP50Ms: number;
  writeP99Ms: number;
}

const KEYS = 100_000;
const WARM_UP_MS = 2_000;
const SQL = `
  create table items (id bigint primary key, body text not null, count bigint not null);
  create table by_hand (id bigint primary key, body text not null, count bigint not null);
  insert into items select id, repeat('x', 400), 0 from generate_series(1, ${KEYS}) as id;
  insert into by_hand select * from items;`;
const CONFIG = {
  database: { mode: 'embedded', initSql: './items.sql' },
  cache: { mode: 'embedded' },
  locks: { mode: 'embedded', waitTimeout: '60s' },
  resources: {
    item: { table: 'items', key: ['id'], cacheKey: 'item:{id}', ttl: '10m', policy: 'strict' },
  },
};

const command = new Command('bench:mixes')
  .description(
    'Compares strict writes and reads with the same by hand, in mixes as of large caches',
  )
  .option('--seconds <n>', 'length of each part of a round', whole(1, 60), 5)
  .option('--rounds <n>', 'how often each is measured', whole(1, 20), 3)
  .option('--callers <n>', 'callers at once', whole(1, 512), 64)
  .option('--json', 'print the report as JSON in the last line');
command.parse();
await main(command.opts<Options>());

async function main({ seconds, rounds, callers, json = false }: Options): Promise<void> {
  console.error('Starting servers…');
  const instance = await startInstance({ config: CONFIG, files: { 'items.sql': SQL } });
  const strict = openStrict(instance);
  const redlock = openRedlock(instance);
  try {
    const report: Record<string, unknown> = { seconds, rounds, callers, keys: KEYS };
    for (const mix of MIXES) {
      const found = { strict: [] as Measure[], redlock: [] as Measure[] };
      for (let round = -1; round < rounds; round += 1) {
        const forMs = round < 0 ? WARM_UP_MS : seconds * 1_000;
        // In turns, so that other work on the machine affects both alike.
        const one = await run(strict, mix, callers, forMs, round);
        const other = await run(redlock, mix, callers, forMs, round);
        if (round < 0) continue;
        found.strict.push(one);
        found.redlock.push(other);
      }
      const ratio = median(
        found.strict.map((one, at) => one.perSecond / (found.redlock[at]?.perSecond ?? NaN)),
      );
      const [strictly, byHand] = [medianOf(found.strict), medianOf(found.redlock)];
      report[`cluster-${mix.cluster}`] = { strict: strictly, redlock: byHand, ratio };
      console.log(format(mix, strictly, byHand, ratio));
    }
    if (json) console.log(JSON.stringify(report));
  } finally {
    await Promise.all([strict.close(), redlock.close()]);
    await instance.dispose();
  }
}

async function run(
  contender: Contender,
  mix: Mix,
  callers: number,
  forMs: number,
  round: number,
): Promise<Measure> {
  const random = SeededRandom.of(round + 1, `mix ${mix.cluster}`);
  const keys = new Zipf(KEYS, mix.zipf);
  const readsMs: number[] = [];
  const writesMs: number[] = [];
  const startedAtMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - startedAtMs < forMs) {
      const request = requestAt(mix, random.next());
      const key = 1 + keys.pick(random.next());
      const beganAtMs = performance.now();
      await carryOut(contender, request, key, mix.valueBytes);
      (request === 'read' ? readsMs : writesMs).push(performance.now() - beganAtMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const tookS = (performance.now() - startedAtMs) / 1_000;
  const reads = Float64Array.from(readsMs).sort();
  const writes = Float64Array.from(writesMs).sort();
  return {
    perSecond: (reads.length + writes.length) / tookS,
    readP50Ms: quantileOf(reads, 0.5),
    readP99Ms: quantileOf(reads, 0.99),
    writeP50Ms: quantileOf(writes, 0.5),
    writeP99Ms: quantileOf(writes, 0.99),
  };
}

function carryOut(
  contender: Contender,
  request: Request,
  key: number,
  valueBytes: number,
): Promise<void> {
  switch (request) {
    case 'read':
      return contender.read(key);
    case 'write':
      return contender.write(key, 'y'.repeat(valueBytes));
    case 'increment':
      return contender.increment(key);
    case 'delete':
      return contender.delete(key);
  }
}

function medianOf(all: readonly Measure[]): Measure {
  const of = (name: keyof Measure): number => median(all.map((each) => each[name]));
  return {
    perSecond: of('perSecond'),
    readP50Ms: of('readP50Ms'),
    readP99Ms: of('readP99Ms'),
    writeP50Ms: of('writeP50Ms'),
    writeP99Ms: of('writeP99Ms'),
  };
}

function format({ cluster }: Mix, strict: Measure, redlock: Measure, ratio: number): string {
  const line = (each: Measure): string => {
    const times = [each.readP50Ms, each.readP99Ms, each.writeP50Ms, each.writeP99Ms];
    const [readP50, readP99, writeP50, writeP99] = times.map((ms) => ms.toFixed(1));
    return `${Math.round(each.perSecond)} a second, reads p50 ${readP50} ms p99 ${readP99} ms, writes p50 ${writeP50} ms p99 ${writeP99} ms`;
  };
  return [
    `cluster ${cluster}`,
    `  strict   ${line(strict)}`,
    `  redlock  ${line(redlock)}`,
    `  strict ÷ redlock ${ratio.toFixed(2)}`,
  ].join('\n');
}
