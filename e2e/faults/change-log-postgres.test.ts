import { describe } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, SHOP_SQL } from '../support/shop.ts';
import { describeChangeLog, LOGGED_SHOP } from './change-log/change-log.conformance.ts';

describe('with the change log of the embedded PostgreSQL', () => {
  const bed = useInstance(() => ({
    config: embeddedShop(LOGGED_SHOP),
    files: { 'shop.sql': SHOP_SQL.pg },
  }));
  describeChangeLog(bed, {
    database: () => bed.instance.killServer('database'),
    cache: () => bed.instance.killServer('cache'),
    forgetLog: () =>
      // A session that is terminated takes a moment to leave the slot.
      eventually(async () => {
        await bed.behind.sql(
          'select pg_terminate_backend(active_pid) from pg_replication_slots where active',
        );
        await bed.behind.sql(
          'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
        );
      }),
  });
});
