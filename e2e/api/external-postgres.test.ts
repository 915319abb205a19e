import { afterAll, describe } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { describeApi } from './suites/api.conformance.ts';

describe('on an external PostgreSQL and external Redis servers', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  describeApi(
    useInstance(async () => {
      servers = await startExternalServers('pg');
      return { config: servers.config };
    }),
  );
});
