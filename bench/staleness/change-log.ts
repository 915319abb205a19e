import { eventually } from '@lockstep/testkit/poll';
import { withDatabase } from './tables.ts';

/**
 * Creates what a subscriber of the change log needs: a publication of the table and a slot, both with the table's name.
 */
export async function publishChanges(databaseUrl: string, table: string): Promise<void> {
  await withDatabase(databaseUrl, async (client) => {
    await client.query(`CREATE PUBLICATION ${table} FOR TABLE ${table}`);
    await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [table]);
  });
}

/** Drops the slots of subscribers and replicas, because the server would keep its log for an abandoned slot. */
export async function dropSlots(databaseUrl: string): Promise<void> {
  await withDatabase(databaseUrl, (client) =>
    eventually(async () => {
      const { rows } = await client.query<{ dropped: boolean }>(DROP_FREE_SLOTS);
      // The server takes a moment to notice that the reader is gone.
      if (rows.some(({ dropped }) => !dropped)) throw new Error('A slot is still read');
    }),
  );
}

const DROP_FREE_SLOTS = `
  SELECT CASE WHEN active THEN false ELSE pg_drop_replication_slot(slot_name) IS NOT NULL END AS dropped
  FROM pg_replication_slots WHERE database = current_database() OR slot_type = 'physical'`;
