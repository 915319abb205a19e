import pg from 'pg';
import { pgAddress } from '../address.ts';

const CONNECT_WITHIN_MS = 5_000;

/** Why the database cannot be followed by this way, with what is allowed; null where it can. Tried on a connection. */
export async function replicationFault(connection: string): Promise<string | null> {
  const settings = {
    ...pgAddress(connection),
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    query_timeout: CONNECT_WITHIN_MS,
    application_name: 'lockstep check',
    replication: 'database', // which the driver's types do not know
  };
  const client = new pg.Client(settings);
  client.on('error', () => undefined); // what is awaited below rejects
  try {
    await client.connect();
    await client.query('IDENTIFY_SYSTEM');
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `the database is reached by a way that carries no replication (${reason}); allowed: changeLog.connection, a URL that leads to the database itself and not through a pooler`;
  } finally {
    await client.end().catch(() => undefined);
  }
}
