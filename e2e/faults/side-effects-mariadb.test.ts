import { createConnection } from 'mysql2/promise';
import { afterAll, describe, expect, test } from 'vitest';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId } from '../support/shop.ts';
import { describeCascades } from './side-effects/cascades.conformance.ts';
import { SIDE_EFFECTS_RESOURCES, SIDE_EFFECTS_SQL } from './side-effects/tables.ts';

describe('triggers and computed keys on an external MariaDB', () => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers('mysql2');
    const client = await createConnection(servers.connection);
    for (const sql of SIDE_EFFECTS_SQL.mysql2) await client.query(sql);
    await client.end();
    return { config: { ...servers.config, resources: SIDE_EFFECTS_RESOURCES.mysql2 } };
  });

  describeCascades(bed);

  test('a row that a trigger would store under another key is refused, and a retry cannot help', async () => {
    const id = newId();
    const answer = await bed.api.put('page', `P${id}`, { body: 'x' });
    expectProblem(answer, 'CONSTRAINT');
    expect(answer.body).toMatchObject({ retryable: false, outcome: 'not_applied' });
    expect((await bed.api.get('page', `p${id}`)).status).toBe(404);
  });
});
