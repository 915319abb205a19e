import { createConnection } from 'mysql2/promise';
import { afterAll, describe } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import {
  describeForeignChanges,
  FOREIGN_RESOURCES,
  FOREIGN_TABLES,
} from './suites/foreign-changes.conformance.ts';

describe('changes by other programs on MariaDB', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers('mysql2');
    const connection = await createConnection({
      uri: servers.connection,
      multipleStatements: true,
    });
    await connection.query(FOREIGN_TABLES);
    await connection.end();
    return {
      config: { ...servers.config, resources: FOREIGN_RESOURCES, changeLog: { mode: 'on' } },
    };
  });
  describeForeignChanges(bed);
});
