import { eventually } from '@lockstep/testkit/poll';
import { withDatabase } from './tables.ts';

/** What a subscriber of the change log needs: a publication of the table, and a slot, both of the table's name. */
export async function publishChanges(databaseUrl: string, table: string): Promise<void> {
  await withDatabase(databaseUrl, async (client) => {
    await client.query(`CREATE PUBLICATION ${table} FOR TABLE ${table}`);
    await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [table]);
  });
}

/** Drops what subscribers and replicas have left: for an abandoned slot the server would keep its log. */
export async function dropSlots(databaseUrl: string): Promise<void> {
  await withDatabase(databaseUrl, (client) =>
    eventually(async () => {
      const { rows } = await client.query<{ dropped: boolean }>(DROP_FREE_SLOTS);
      // The server notices a moment later that its reader is gone.
      if (rows.some(({ dropped }) => !dropped)) throw new Error('A slot is still read');
    }),
  );
}

const DROP_FREE_SLOTS = `
  SELECT CASE WHEN active THEN false ELSE pg_drop_replication_slot(slot_name) IS NOT NULL END AS dropped
  FROM pg_replication_slots WHERE database = current_database() OR slot_type = 'physical'`;
