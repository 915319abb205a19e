import type { ConnectionOptions } from 'node:tls';
import { splitTls, tlsOptions } from '../../tls/index.ts';

/** Where a server is and how it is reached, as `pg` takes it. */
export function pgAddress(connection: string): {
  connectionString: string;
  ssl?: ConnectionOptions | false;
} {
  const { url, tls } = splitTls(connection);
  return { connectionString: url, ...(tls === null ? {} : { ssl: tlsOptions(tls) }) };
}
