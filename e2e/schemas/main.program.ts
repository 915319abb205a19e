/**
 * `npm run schemas -- FOLDER`: tries Lockstep on the schemas of a folder. For every table it prints whether it is
 * accepted as a resource or why not, which values writing back what was read has changed, and where a read through
 * the cache differs from the primary. Exits 1 where fewer than 99% of the tables with a unique key are accepted, or
 * anything is changed, different or failed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMysql, startPostgres, startRedis } from '@lockstep/testkit/servers';
import { programNamed } from '@lockstep/testkit/command-line';
import { inWords, linesOf, totalsOf, type SchemaReport } from './report.ts';
import { runSchema, type TrialServers } from './run-schema.ts';
import { findSchemas } from './schema-folder.ts';

const LEAST_ACCEPTED = 0.99;

interface Options {
  only: string[];
  json?: boolean;
}

const program = programNamed('npm run schemas')
  .usage('-- FOLDER [options]')
  .description('Tries Lockstep on the schemas of a folder.')
  .argument('<folder>')
  .option(
    '--only <name>',
    'one schema; may be repeated',
    (name, names: string[]) => [...names, name],
    [],
  )
  .option('--json', 'print the report as JSON in the last line')
  .parse();
process.exitCode = await main(String(program.args[0]), program.opts<Options>());

async function main(from: string, { only, json = false }: Options): Promise<number> {
  const schemas = findSchemas(from).filter(({ name }) => only.length === 0 || only.includes(name));
  if (schemas.length === 0) throw new Error(`No schema found in ${from}`);
  const scratch = mkdtempSync(join(tmpdir(), 'lockstep-schemas-'));
  const started = await Promise.all([
    startPostgres(),
    startMysql(),
    startRedis(),
    startRedis(),
    startRedis(),
    startRedis(),
  ]);
  const [postgres, mysql, cache, ...locks] = started;
  const servers: TrialServers = {
    databases: { pg: postgres.url, mysql2: mysql.url },
    cacheUrl: cache.url,
    lockUrls: locks.map(({ url }) => url),
    writeFile: (name, text) => {
      writeFileSync(join(scratch, name), text);
      return join(scratch, name);
    },
  };
  try {
    const reports: SchemaReport[] = [];
    for (const schema of schemas) {
      const report = await runSchema(schema, servers);
      reports.push(report);
      for (const line of linesOf(report)) console.log(line);
    }
    return conclude(reports, json);
  } finally {
    await Promise.all(started.map((server) => server.stop()));
    rmSync(scratch, { recursive: true, force: true });
  }
}

function conclude(reports: readonly SchemaReport[], json: boolean): number {
  const totals = totalsOf(reports);
  if (json) console.log(JSON.stringify({ totals, schemas: reports }));
  else console.log(`\n${reports.length} schema(s): ${inWords(totals)}`);
  const isAccepted = totals.accepted >= LEAST_ACCEPTED * totals.keyed;
  return isAccepted && totals.changed + totals.different + totals.failed === 0 ? 0 : 1;
}
