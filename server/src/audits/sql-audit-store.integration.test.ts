import { afterAll, beforeAll, describe } from 'vitest';
import type { Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { freshDatabase, installedClients, type FreshDatabase } from '@lockstep/testkit/servers';
import { describeAuditStore } from './audit-store.conformance.ts';
import { SqlAuditStore } from './sql-audit-store.ts';
import type { AuditStore } from './port.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe.each(installedClients())('audits stored on %s', (client) => {
  let fresh: FreshDatabase;
  let database: Database;
  let store: AuditStore;

  beforeAll(async () => {
    fresh = await freshDatabase(client);
    database = openDatabase({
      client,
      connection: fresh.url,
      pool: { min: 0, max: 4 },
      statementTimeoutMs: 5_000,
      acquireTimeoutMs: 5_000,
      runtime: systemRuntime(quiet),
    });
    await database.migrations.up();
    store = new SqlAuditStore(database.sql);
  });

  afterAll(async () => {
    await database.close();
    await fresh.drop();
  });

  describeAuditStore(client, () => store);
});
