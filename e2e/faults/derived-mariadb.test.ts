import { afterAll, describe } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { describeDerivedAudits } from './derived/audits.conformance.ts';
import { describeBeside } from './derived/beside.conformance.ts';
import { describeDerived } from './derived/derived.conformance.ts';
import { derivedShop } from './derived/derived-shop.ts';

describe('derived entries on an external MariaDB', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers('mysql2');
    return { config: { ...servers.config, ...derivedShop('mysql2') } };
  });
  describeDerived(bed, 'mysql2');
  describeDerivedAudits(bed);
  describeBeside(bed, 'mysql2', {
    database: async () => {
      await servers?.database.kill();
      await servers?.database.restart();
    },
    cache: async () => {
      await servers?.cache.kill();
      await servers?.cache.restart();
    },
  });
});
