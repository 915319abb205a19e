import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import type { TelemetryEvent } from '../domain/index.ts';
import { createGuardStore } from '../guards/index.ts';
import { Leadership, type ScheduledJob } from '../jobs/index.ts';
import { createLeadershipStore } from '../jobs/sql-leadership-store.ts';
import { systemRuntime } from '../runtime/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { createPruning } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** So many records of each age, in hours. */
const FILL = {
  pg: (count: number, hours: number) => `insert into lockstep_idempotency
    select 'key-${hours}-' || n, 'hash', 'account', n::text, '{"status":"refused"}', now() - interval '${hours} hours'
    from generate_series(1, ${count}) as n`,
  mysql2: (count: number, hours: number) => `insert into lockstep_idempotency
    with recursive s as (select 1 as n union all select n + 1 from s where n < ${count})
    select concat('key-${hours}-', n), 'hash', 'account', n, '{"status":"refused"}', now(6) - interval ${hours} hour from s`,
};

for (const client of installedClients()) {
  describe(`pruning on ${client}`, () => {
    let database: TestDatabase;
    const runtime = systemRuntime(quiet);
    const left = async (): Promise<number> => {
      const sql = 'select count(*) as count from lockstep_idempotency';
      return Number((await database.sql.run({ pg: sql, mysql2: sql })).rows[0]?.count);
    };
    const prunerWith = (events: TelemetryEvent[]): ScheduledJob =>
      createPruning({
        rows: database.rows,
        guards: createGuardStore(database),
        leadership: new Leadership(createLeadershipStore(database), runtime),
        telemetry: { emit: (event) => void events.push(event) },
        runtime,
      });

    beforeAll(async () => {
      database = await openTestDatabase(client);
    });
    afterAll(() => database?.drop());
    beforeEach(async () => {
      await database.execute('delete from lockstep_idempotency');
      await database.execute('delete from lockstep_audit_leases');
    });

    it('removes outcomes that are older than 24 h, however many have piled up, and no other', async () => {
      await database.execute(FILL[client](900, 25));
      for (const hours of [26, 27, 28, 29, 30, 31])
        await database.execute(FILL[client](900, hours));
      await database.execute(FILL[client](300, 23));
      const events: TelemetryEvent[] = [];
      const pruning = prunerWith(events);
      pruning.start();
      await expect.poll(left).toBe(300);
      await pruning.stop();
      const pruned = events.flatMap((event) => (event.type === 'pruned' ? [event.rows] : []));
      expect(pruned.reduce((sum, rows) => sum + rows, 0)).toBe(6_300);
      expect(Math.max(...pruned)).toBeLessThanOrEqual(2_000);
    });

    it('is done by one instance at a time', async () => {
      const [one, other]: [TelemetryEvent[], TelemetryEvent[]] = [[], []];
      await database.execute(FILL[client](500, 25));
      const prunings = [prunerWith(one), prunerWith(other)];
      for (const pruning of prunings) pruning.start();
      await expect.poll(left).toBe(0);
      await Promise.all(prunings.map((pruning) => pruning.stop()));
      expect([one, other].filter((events) => events.length > 0)).toHaveLength(1);
    });
  });
}
