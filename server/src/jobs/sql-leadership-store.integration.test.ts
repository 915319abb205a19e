import { afterAll, beforeAll, describe } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { installedClients } from '@lockstep/testkit/servers';
import { describeLeadershipStore } from './leadership-store.conformance.ts';
import { createLeadershipStore } from './sql-leadership-store.ts';

describe.each(installedClients())('leaders stored on %s', (client) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(client);
  });
  afterAll(() => database.drop());

  describeLeadershipStore(client, () => createLeadershipStore(database));
});
