import { eventually } from '@lockstep/testkit/poll';
import { startStandby } from '@lockstep/testkit/servers';
import { readTable } from './tables.ts';

/** A replica of the database, without an artificial delay. */
export interface Replica {
  url: string;
  stop(): Promise<void>;
}

/** Starts a hot standby, and waits until it has the table's rows. `dropSlots` removes its slot from the primary. */
export async function startReplica(databaseUrl: string, table: string): Promise<Replica> {
  const { server } = await startStandby({ url: databaseUrl });
  const url = new URL(server.url);
  url.pathname = new URL(databaseUrl).pathname;
  await eventually(() => readTable(url.href, table));
  return { url: url.href, stop: () => server.stop() };
}
