import { createHash, randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { ApiClient } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';
import { startInstance } from '@lockstep/testkit/instances/instance';
import { judgeTable, type Verdict } from './judge-table.ts';
import { loadSchema } from './load-schema.ts';
import type { SchemaReport, TableReport } from './report.ts';
import { ensureRows, relaxConstraints } from './sample-rows.ts';
import type { Client, SchemaFiles } from './schema-folder.ts';
import { openSideDatabase, type SideDatabase } from './side-database.ts';
import { listTables, type Table } from './tables.ts';

/** Servers that the schemas are tried on: a database server of each kind, a cache and lock nodes. */
export interface TrialServers {
  databases: Record<Client, string>;
  cacheUrl: string;
  lockUrls: string[];
  /** A folder for configuration files. */
  writeFile: (name: string, text: string) => string;
}

/** Loads a schema into a database of its own, makes a resource of every table that has a key, and judges each. */
export async function runSchema(schema: SchemaFiles, servers: TrialServers): Promise<SchemaReport> {
  const url = await createDatabase(schema.client, servers.databases[schema.client]);
  const loaded = await loadSchema(schema, url);
  const rows = await openSideDatabase(schema.client, url);
  const database = await openSideDatabase(schema.client, url);
  try {
    await relaxConstraints(rows);
    const tables = await listTables(database);
    for (const table of tables) if (table.key !== null) await ensureRows(rows, table);
    const keyed = tables.filter(({ key }) => key !== null);
    const refusals = await refusalsOf(keyed, schema, url, servers);
    const accepted = keyed.filter(({ name }) => !refusals.has(name));
    const verdicts = await judgeTables(accepted, schema, url, servers, database);
    const report = tables.map(({ name, key }): TableReport => ({
      table: name,
      key,
      refusals: refusals.get(name) ?? [],
      verdict: verdicts.get(name) ?? null,
    }));
    return { name: schema.name, client: schema.client, loaded, tables: report };
  } finally {
    await Promise.all([rows.close(), database.close()]);
    await dropDatabase(schema.client, servers.databases[schema.client], url);
  }
}

async function judgeTables(
  tables: readonly Table[],
  schema: SchemaFiles,
  url: string,
  servers: TrialServers,
  database: SideDatabase,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  if (tables.length === 0) return verdicts;
  const config = { ...configOf(tables, schema, url, servers), auth: { mode: 'off' } };
  const instance = await startInstance({ config, startTimeoutMs: 300_000 });
  const api = new ApiClient(instance.url, null);
  try {
    for (const table of tables) {
      const resource = resourceOf(table);
      const verdict = await judgeTable(api, resource, table, database);
      await audit(api, resource, verdict);
      verdicts.set(table.name, verdict);
    }
  } finally {
    await api.close();
    await instance.dispose();
  }
  return verdicts;
}

/** Drift that an audit finds right after the writes is a difference too. */
async function audit(api: ApiClient, resource: string, verdict: Verdict): Promise<void> {
  const { status, text } = await api.post('/v1/ops/audits', { resource });
  const { drift = {} } = JSON.parse(text) as { drift?: Record<string, number> };
  if (status !== 200) verdict.failed.push(`an audit answered ${status}`);
  for (const [kind, found] of Object.entries(drift))
    if (found > 0) verdict.different.push(`${kind} (audit)`);
}

/** What `check` refuses, by table. @throws Error where it refuses anything else */
async function refusalsOf(
  tables: readonly Table[],
  schema: SchemaFiles,
  url: string,
  servers: TrialServers,
): Promise<Map<string, string[]>> {
  const config = configOf(tables, schema, url, servers);
  const file = servers.writeFile('lockstep.json', JSON.stringify(config));
  const { stdout, stderr } = await runCli(['check', '--config', file, '--json']);
  const { faults } = parseCheck(stdout, stderr);
  const refusals = new Map<string, string[]>();
  for (const { path, message } of faults) {
    const named = path.split('.')[1];
    const table = tables.find((candidate) => resourceOf(candidate) === named);
    if (table === undefined) throw new Error(`check refuses ${path}: ${message}`);
    refusals.set(table.name, [...(refusals.get(table.name) ?? []), message]);
  }
  return refusals;
}

interface CheckOutput {
  faults: { path: string; message: string }[];
}

function parseCheck(stdout: string, stderr: string): CheckOutput {
  try {
    return JSON.parse(stdout) as CheckOutput;
  } catch (cause) {
    throw new Error(`check printed no JSON: ${stdout}\n${stderr}`, { cause });
  }
}

/** The table's name as a resource may be called. */
function resourceOf({ name }: Table): string {
  const letters = name.replaceAll(/[^\w-]/g, '-').slice(0, 50);
  const suffix =
    letters === name ? '' : `-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
  return `${/^[a-z]/i.test(letters) ? '' : 't'}${letters}${suffix}`;
}

/** Both kinds of write are tried: every other resource is strict. */
function configOf(
  tables: readonly Table[],
  { client }: SchemaFiles,
  url: string,
  { cacheUrl, lockUrls }: TrialServers,
): object {
  const resources = Object.fromEntries(
    tables.map((table, index) => [
      resourceOf(table),
      {
        table: table.path.some((part) => part.includes('.')) ? table.path : table.name,
        key: table.key,
        policy: index % 2 === 0 ? 'strict' : 'delete-after-write',
      },
    ]),
  );
  return {
    database: { client, connection: url, pool: { min: 0, max: 5 } },
    cache: { url: cacheUrl },
    locks: { nodes: lockUrls },
    resources,
  };
}

async function createDatabase(client: Client, serverUrl: string): Promise<string> {
  const name = `schema_${randomBytes(6).toString('hex')}`;
  const charset = client === 'pg' ? '' : ' character set utf8mb4';
  await execute(client, serverUrl, `create database ${name}${charset}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function dropDatabase(client: Client, serverUrl: string, url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await execute(
    client,
    serverUrl,
    `drop database ${name}${client === 'pg' ? ' with (force)' : ''}`,
  );
}

async function execute(client: Client, url: string, sql: string): Promise<void> {
  if (client === 'mysql2') {
    const connection = await createConnection(url);
    await connection.query(sql).finally(() => connection.end());
    return;
  }
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  await connection.query(sql).finally(() => connection.end());
}
