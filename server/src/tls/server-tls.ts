/**
 * TLS of a connection to a server. It travels in the server's URL, as PostgreSQL's own URLs have it, so that whoever has
 * a server's URL can connect to it. `resolve-tls.ts` reads the files that a URL or the configuration names: the URLs of a
 * resolved configuration contain PEM texts.
 */
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';

/**
 * As PostgreSQL's `sslmode`:
 *   disable      no TLS
 *   require      encrypted; the certificate is checked only if authorities are given, and its name never
 *   verify-ca    an authority that is trusted has signed the certificate
 *   verify-full  and it is the certificate of this host
 */
export const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export interface ServerTls {
  mode: TlsMode;
  /** The trusted authorities; null: those that Node.js trusts. */
  ca: string | null;
  /** The client's own certificate, for mutual TLS, and its key; null: none. */
  cert: string | null;
  key: string | null;
  /** The name that the server's certificate must have; null: the host of the URL. */
  serverName: string | null;
}

/** The names of the URL's parameters: PostgreSQL's, and then those of MySQL's programs. */
const PARAMETERS = {
  mode: ['sslmode', 'ssl-mode'],
  ca: ['sslrootcert', 'ssl-ca'],
  cert: ['sslcert', 'ssl-cert'],
  key: ['sslkey', 'ssl-key'],
  serverName: ['sslservername'],
} as const satisfies Record<keyof ServerTls, readonly string[]>;

/** What else PostgreSQL, MySQL and `pg` call the modes. */
const OTHER_NAMES: Readonly<Record<string, TlsMode>> = {
  disabled: 'disable',
  required: 'require',
  'no-verify': 'require',
  'verify-identity': 'verify-full',
};

/** Undefined for a mode that is not supported: `allow` and `prefer` protect from nobody. */
export function parseTlsMode(text: string): TlsMode | undefined {
  const name = text.toLowerCase().replaceAll('_', '-');
  return TLS_MODES.find((mode) => mode === name) ?? OTHER_NAMES[name];
}

/**
 * The URL without its parameters of TLS, and what they say; null if there are none.
 * @throws RangeError for a mode that is not supported
 */
export function splitTls(url: string): { url: string; tls: ServerTls | null } {
  const at = url.indexOf('?');
  if (at === -1) return { url, tls: null };
  const parameters = new URLSearchParams(url.slice(at + 1));
  const take = (names: readonly string[]): string | null => {
    const values = names.flatMap((name) => parameters.getAll(name));
    for (const name of names) parameters.delete(name);
    return values.at(-1) ?? null;
  };
  const mode = take(PARAMETERS.mode);
  const [ca, cert, key] = [take(PARAMETERS.ca), take(PARAMETERS.cert), take(PARAMETERS.key)];
  const serverName = take(PARAMETERS.serverName);
  if ([mode, ca, cert, key, serverName].every((value) => value === null)) return { url, tls: null };
  const parsed = mode === null ? 'verify-full' : parseTlsMode(mode);
  if (parsed === undefined) throw new RangeError(`sslmode=${mode} is not supported`);
  const rest = parameters.size === 0 ? '' : `?${parameters.toString()}`;
  return { url: url.slice(0, at) + rest, tls: { mode: parsed, ca, cert, key, serverName } };
}

/** The URL with these parameters. It must have none yet. */
export function withTls(url: string, tls: ServerTls): string {
  const parameters = new URLSearchParams({ [PARAMETERS.mode[0]]: tls.mode });
  for (const name of ['ca', 'cert', 'key', 'serverName'] as const) {
    const value = tls[name];
    if (value !== null) parameters.set(PARAMETERS[name][0], value);
  }
  return `${url}${url.includes('?') ? '&' : '?'}${parameters.toString()}`;
}

/** The options for `node:tls`; false for a connection without TLS. */
export function tlsOptions({
  mode,
  ca,
  cert,
  key,
  serverName,
}: ServerTls): ConnectionOptions | false {
  if (mode === 'disable') return false;
  const isChecked = mode !== 'require' || ca !== null;
  return {
    rejectUnauthorized: isChecked,
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(serverName === null ? {} : { servername: serverName }),
    ...(mode === 'verify-full'
      ? {
          checkServerIdentity: (host, certificate) =>
            checkServerIdentity(serverName ?? host, certificate),
        }
      : { checkServerIdentity: () => undefined }),
  };
}

/** A Redis URL without its parameters of TLS, and the options for ioredis. */
export function redisTls(url: string): { url: string; options: { tls?: ConnectionOptions } } {
  const { url: plain, tls } = splitTls(url);
  const options = tls === null ? false : tlsOptions(tls);
  return { url: plain, options: options === false ? {} : { tls: options } };
}

/** Whether a connection by this URL is encrypted, and takes any certificate. */
export function isUnchecked(url: string): boolean {
  const { tls } = splitTls(url);
  return tls !== null && tls.mode === 'require' && tls.ca === null;
}
