import { afterAll, describe, expect, it } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { refusedByRedis, withLeastRights } from '../support/least-rights.ts';
import { useInstance } from '../support/shared-instance.ts';
import { describeApi } from './suites/api.conformance.ts';

describe('on an external PostgreSQL and external Redis servers, with the least rights', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  describeApi(
    useInstance(async () => {
      servers = await startExternalServers('pg');
      const { behind } = servers;
      return { config: await withLeastRights(servers), behind };
    }),
  );
  it('with the rights that lockstep grants prints, no command of Redis was refused', async () => {
    const { cacheUrl = '', lockUrls = [] } = servers?.behind ?? {};
    const refused = await Promise.all([cacheUrl, ...lockUrls].map(refusedByRedis));
    expect(refused).toEqual([[], [], [], []]);
  });
});
