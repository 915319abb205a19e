import { afterAll, describe } from 'vitest';
import { mysqlReplication } from '@lockstep/testkit/servers';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { describeChangeLog, LOGGED_SHOP } from './change-log/change-log.conformance.ts';

describe('with the binlog of an external MariaDB', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers('mysql2');
    return { config: { ...servers.config, ...LOGGED_SHOP } };
  });
  describeChangeLog(bed, {
    database: async () => {
      await servers?.database.kill();
      await servers?.database.restart();
    },
    cache: async () => {
      await servers?.cache.kill();
      await servers?.cache.restart();
    },
    forgetLog: async () => {
      await bed.behind.sql(mysqlReplication().forgetLog);
    },
  });
});
