import { afterAll, describe } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { describeApi } from './suites/api.conformance.ts';

describe('on an external MariaDB and external Redis servers', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  describeApi(
    useInstance(async () => {
      servers = await startExternalServers('mysql2');
      return { config: servers.config };
    }),
  );
});
