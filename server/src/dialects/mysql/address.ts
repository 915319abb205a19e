import { connect, type Socket } from 'node:net';
import { splitTls, type ServerTls } from '../../tls/index.ts';

interface SslOptions {
  rejectUnauthorized: boolean;
  verifyIdentity: boolean;
  ca?: string;
  cert?: string;
  key?: string;
}

interface MysqlAddress {
  uri: string;
  ssl?: SslOptions;
  host?: string;
  stream?: () => Socket;
}

/** Where a server is and how it is reached, as `mysql2` takes it. */
export function mysqlAddress(connection: string): MysqlAddress {
  const { url, tls } = splitTls(connection);
  if (tls === null || tls.mode === 'disable') return { uri: url };
  const { serverName } = tls;
  return {
    uri: url,
    ssl: sslOptions(tls),
    // The driver checks the certificate against the host that it is told, so it must be told the certificate's name.
    ...(serverName === null ? {} : { host: serverName, stream: () => connectTo(url) }),
  };
}

const sslOptions = ({ mode, ca, cert, key }: ServerTls): SslOptions => ({
  rejectUnauthorized: mode !== 'require' || ca !== null,
  verifyIdentity: mode === 'verify-full',
  ...(ca === null ? {} : { ca }),
  ...(cert === null ? {} : { cert }),
  ...(key === null ? {} : { key }),
});

const MYSQL_PORT = 3306;

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(port === '' ? MYSQL_PORT : Number(port), hostname.replace(/^\[|\]$/g, ''));
}
