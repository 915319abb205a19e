/**
 * TLS of the servers: reads the files of certificates and keys, and puts what they contain into the servers' URLs
 * (`tls/server-tls.ts`). Files are read when the configuration is read.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseTlsMode, type ServerTls, splitTls, TLS_MODES, withTls } from '../tls/index.ts';
import { ConfigError } from './config-error.ts';
import type { Faults } from './resolve-servers.ts';
import type { Groups } from './schema.ts';

type RawTls = NonNullable<Groups['database']['tls']>;

interface Source {
  /** The configuration's field with the URL, and the one with the settings of TLS. */
  path: string;
  tlsPath: string;
  settings: RawTls | undefined;
  baseDir: string;
  faults: Faults;
}

const PEM = /-----BEGIN [A-Z0-9 ]+-----/;

/** The groups with the URLs of all servers complete. */
export async function resolveTls(
  parsed: Partial<Groups>,
  baseDir: string,
  faults: Faults,
): Promise<Partial<Groups>> {
  const { database, changeLog, cache, locks } = parsed;
  if (database?.connection === undefined) notUsed('database', database?.tls, 'connection', faults);
  if (cache?.url === undefined) notUsed('cache', cache?.tls, 'url', faults);
  if (locks?.nodes === undefined) notUsed('locks', locks?.tls, 'nodes', faults);
  const of = (path: string, tlsPath: string, settings: RawTls | undefined) => (url: string) =>
    completed(url, { path, tlsPath, settings, baseDir, faults });
  const ofDatabase = (path: string) => of(path, 'database.tls', database?.tls);
  const one = async (
    url: string | undefined,
    complete: (url: string) => Promise<string>,
  ): Promise<string | undefined> => (url === undefined ? undefined : complete(url));
  const each = async (
    urls: readonly string[] | undefined,
    complete: (url: string) => Promise<string>,
  ): Promise<string[] | undefined> =>
    urls === undefined ? undefined : Promise.all(urls.map(complete));
  return {
    ...parsed,
    ...(database === undefined
      ? {}
      : {
          database: {
            ...database,
            connection: await one(database.connection, ofDatabase('database.connection')),
            replicas: await each(database.replicas, ofDatabase('database.replicas')),
          },
        }),
    ...(changeLog === undefined
      ? {}
      : {
          changeLog: {
            ...changeLog,
            connection: await one(changeLog.connection, ofDatabase('changeLog.connection')),
          },
        }),
    ...(cache === undefined
      ? {}
      : {
          cache: { ...cache, url: await one(cache.url, of('cache.url', 'cache.tls', cache.tls)) },
        }),
    ...(locks === undefined
      ? {}
      : {
          locks: {
            ...locks,
            nodes: await each(locks.nodes, of('locks.nodes', 'locks.tls', locks.tls)),
          },
        }),
  };
}

/**
 * A URL that a command line or a variable gives, with the files that its parameters of TLS name.
 * @throws ConfigError
 */
export async function completeUrl(url: string, path: string, baseDir: string): Promise<string> {
  const faults: Faults = [];
  const complete = await completed(url, {
    path,
    tlsPath: path,
    settings: undefined,
    baseDir,
    faults,
  });
  if (faults.length > 0) throw new ConfigError(faults);
  return complete;
}

function notUsed(group: string, settings: RawTls | undefined, url: string, faults: Faults): void {
  if (settings === undefined) return;
  const message = `goes with ${group}.${url} only; allowed: ${url} beside it, or no tls`;
  faults.push({ path: `${group}.tls`, message });
}

/** The URL as the drivers take it; the URL as it is where it has a fault, which is reported. */
async function completed(url: string, source: Source): Promise<string> {
  const { path, tlsPath, settings, faults } = source;
  const isRedis = /^rediss?:/.test(url);
  const found = splitOrFault(url, path, faults);
  if (found === undefined) return url;
  if (settings === undefined) {
    if (found.tls === null) return url;
  } else if (found.tls !== null) {
    const message = `is set, and the URL at ${path} has parameters of TLS as well; allowed: one of the two`;
    faults.push({ path: tlsPath, message });
    return url;
  }
  const asked = found.tls ?? fromSettings(settings);
  if (isRedis && (asked.mode !== 'disable') !== url.startsWith('rediss:')) {
    const allowed = asked.mode === 'disable' ? 'redis://' : 'rediss://';
    const message = `says ${asked.mode}, and the URL says otherwise; allowed: a URL that begins with ${allowed}`;
    faults.push({ path: found.tls === null ? tlsPath : path, message });
  }
  return withTls(found.url, await withFiles(asked, found.tls === null ? tlsPath : path, source));
}

function splitOrFault(
  url: string,
  path: string,
  faults: Faults,
): ReturnType<typeof splitTls> | undefined {
  try {
    return splitTls(url);
  } catch {
    const message = `has an sslmode that is not supported (prefer and allow protect from nobody); allowed: ${TLS_MODES.join(', ')}`;
    faults.push({ path, message });
    return undefined;
  }
}

const fromSettings = (settings: RawTls | undefined): ServerTls => ({
  mode: parseTlsMode(settings?.mode ?? '') ?? 'verify-full',
  ca: settings?.ca ?? null,
  cert: settings?.cert ?? null,
  key: settings?.key ?? null,
  serverName: settings?.serverName ?? null,
});

async function withFiles(tls: ServerTls, path: string, source: Source): Promise<ServerTls> {
  if ((tls.cert === null) !== (tls.key === null)) {
    const [has, lacks] = tls.cert === null ? ['key', 'certificate'] : ['certificate', 'key'];
    source.faults.push({
      path,
      message: `has a client’s ${has} without its ${lacks}; allowed: both`,
    });
  }
  const [ca, cert, key] = await Promise.all(
    (['ca', 'cert', 'key'] as const).map((name) => pem(tls[name], `${path}.${name}`, source)),
  );
  return { ...tls, ca: ca ?? null, cert: cert ?? null, key: key ?? null };
}

/** The PEM text: of the value itself, or of the file that it names. `system` stands for what Node.js trusts. */
async function pem(
  value: string | null,
  path: string,
  { baseDir, faults }: Source,
): Promise<string | null> {
  if (value === null || PEM.test(value)) return value;
  if (value === 'system') return null;
  try {
    const text = await readFile(resolve(baseDir, value), 'utf8');
    if (PEM.test(text)) return text;
    faults.push({ path, message: 'names a file without PEM; allowed: a file in the form of PEM' });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const message = `names a file that cannot be read (${reason}); allowed: the path of a file in the form of PEM`;
    faults.push({ path, message });
  }
  return null;
}
