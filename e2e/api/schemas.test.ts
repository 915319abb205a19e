import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../server/src/embedded/installed-program.ts';
import {
  freshDatabase,
  type FreshDatabase,
  startRedis,
  type TestServer,
} from '@lockstep/testkit/servers';
import { linesOf, totalsOf, type SchemaReport } from '../schemas/report.ts';
import { runSchema } from '../schemas/run-schema.ts';
import { findSchemas } from '../schemas/schema-folder.ts';
import { repositoryPath } from '@lockstep/testkit/repository';

/** `npm run schemas -- e2e/schemas/small`, as a part of `npm test`. */
const CASES = [
  { client: 'pg', loader: 'psql' },
  { client: 'mysql2', loader: 'mariadb' },
] as const;

for (const { client, loader } of CASES) {
  const isLoadable = findProgram([loader]) !== undefined;
  const schemas = findSchemas(repositoryPath('e2e/schemas/small')).filter(
    (schema) => schema.client === client,
  );
  const needs = isLoadable ? '' : ` (SKIPPED: ${loader}, which loads them, is not installed)`;
  if (!isLoadable) process.stderr.write(`\nSKIPPED: schemas on ${client}: no ${loader}\n\n`);

  describe.skipIf(!isLoadable)(`every table of a schema on ${client}${needs}`, () => {
    let folder: string;
    let database: FreshDatabase | undefined;
    const redises: TestServer[] = [];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'lockstep-schemas-'));
      database = await freshDatabase(client);
      for (let node = 0; node < 4; node++) redises.push(await startRedis());
    });

    afterAll(async () => {
      await Promise.all(redises.map((redis) => redis.stop()));
      await database?.drop();
      rmSync(folder, { recursive: true, force: true });
    });

    it.each(schemas)(
      '$name: is accepted if it has a unique key, and a row that was read can be written back unchanged',
      { timeout: 300_000 },
      async (schema) => {
        const [cache, ...locks] = redises.map(({ url }) => url);
        const url = database?.url ?? '';
        const report = await runSchema(schema, {
          databases: { pg: url, mysql2: url },
          cacheUrl: cache ?? '',
          lockUrls: locks,
          writeFile: (name, text) => {
            writeFileSync(join(folder, name), text);
            return join(folder, name);
          },
        });
        expect(report.loaded, 'what the schema is loaded with').toEqual({
          failed: 0,
          firstFailure: null,
        });
        expect(linesOf(report).slice(1), 'what came out wrong').toEqual([]);
        const totals = totalsOf([report]);
        expect(totals.keyed).toBeGreaterThan(0);
        expect(totals).toMatchObject({
          accepted: totals.keyed,
          changed: 0,
          different: 0,
          failed: 0,
        });
        expect(untriedTables(report), 'tables of which no row was written').toEqual([]);
      },
    );
  });
}

/** A table without rows, or whose rows the schema itself lets nobody write, shows nothing. */
function untriedTables({ tables }: SchemaReport): string[] {
  return tables.flatMap(({ table, verdict }) =>
    verdict !== null && verdict.rows === verdict.refusedBySchema
      ? [`${table}: ${verdict.rows} rows`]
      : [],
  );
}
