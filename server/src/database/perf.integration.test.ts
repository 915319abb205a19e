import { it } from 'vitest';
import pg from 'pg';
import { startPostgres } from '../testing/index.ts';
import { openDatabase } from './open-database.ts';
import { systemRuntime } from '../runtime/index.ts';
import { bindResources } from './bind-resources.ts';
import { config } from './testing/tables.ts';
import { makeKey } from '../domain/index.ts';
import { silentLog } from './testing/open-test-database.ts';
import { readFileSync } from 'node:fs';
function pgCpu(pid: number): number {
  let sum = 0;
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')) {
    try { const f = readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]!.split(' '); sum += Number(f[11]) + Number(f[12]); } catch {}
  }
  return sum;
}
it('perf', async () => {
  const server = await startPostgres({ args: process.env.FSYNC ? ['-c', 'fsync=on', '-c', 'full_page_writes=on'] : [] });
  const db = openDatabase({ client: 'pg', connection: server.url, pool: { min: 0, max: 32 }, statementTimeoutMs: 5000, acquireTimeoutMs: 5000, runtime: systemRuntime(silentLog) });
  await db.migrations.up();
  const ex = (sql: string) => db.sql.run({ pg: sql, mysql2: '' });
  await ex('create table accounts (id int primary key, owner text, balance bigint)');
  await ex(`insert into accounts select i, 'owner' || i, 0 from generate_series(1, 10000) i`);
  await ex('vacuum analyze accounts');
  const { resources: [r] } = await bindResources([config({})], db.catalog);
  if (!r) throw new Error();
  const pool = new pg.Pool({ connectionString: server.url, max: 32 });
  const N = 64, MS = 4000;
  const rid = () => 1 + Math.floor(Math.random() * 10000);
  const cases: Record<string, () => Promise<unknown>> = {
    bare: () => pool.query({ name: 'u', text: 'update accounts set balance = balance + 1 where id = $1', values: [rid()] }),
    bareReturning: () => pool.query({ name: 'ur', text: 'update accounts set balance = balance + $2, owner = $3 where id = $1 returning *', values: [rid(), 1, 'x'] }),
    daw: async () => { const x = await db.rows.write({ key: makeKey(r, [String(rid())]), change: { op: 'patch', set: {owner: 'x'}, increment: { balance: '1' } }, outbox: true }); if (x.status !== 'applied') throw new Error(JSON.stringify(x)); await undefined; },
    strict: async () => { const x = await db.rows.write({ key: makeKey(r, [String(rid())]), change: { op: 'patch', set: {owner: 'x'}, increment: { balance: '1' } }, outbox: false, fence: Date.now() * 1000 + (f++ % 1000) }); if (x.status === 'refused') throw new Error(JSON.stringify(x)); },
    put: async () => { const x = await db.rows.write({ key: makeKey(r, [String(rid())]), change: { op: 'put', set: {owner: 'x', balance: 1 }, onlyCreate: false }, outbox: false }); if (x.status !== 'applied') throw new Error(JSON.stringify(x)); },
    read: () => db.rows.read(makeKey(r, [String(rid())])),
    bareRead: () => pool.query({ name: 'r', text: 'select * from accounts where id = $1', values: [rid()] }),
  };
  let f = 0;
  const only = process.env.ONLY?.split(',');
  for (let round = 0; round < 2; round++)
  for (const [name, run] of Object.entries(cases)) {
    if (only && !only.includes(name)) continue;
    let n = 0; const p0 = pgCpu(server.pid); const end = performance.now() + MS; const c0 = process.cpuUsage();
    await Promise.all(Array.from({ length: N }, async () => { while (performance.now() < end) { await run(); n++; } }));
    const c = process.cpuUsage(c0);
    console.log(round, name, Math.round(n / MS * 1000), '/s  node cpu µs/op', Math.round((c.user + c.system) / n), 'pg cpu µs/op', Math.round((pgCpu(server.pid) - p0) * 10000 / n));
    await ex('truncate lockstep_outbox');
  }
  await pool.end(); await db.close(); await server.stop();
}, 200000);
