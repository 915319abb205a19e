import type { FieldFault } from '@lockstep/shared';
import type { Config } from '../config/index.ts';
import { isUnchecked } from '../tls/index.ts';

type Servers = Pick<Config, 'database' | 'changeLog' | 'cache' | 'locks'>;

/**
 * Warns of each server whose certificate is not checked although its connection is encrypted: an attacker in between
 * could answer in its place.
 */
export const encryptionWarnings = (servers: Servers): FieldFault[] =>
  urlsOf(servers)
    .filter(([, url]) => isUnchecked(url))
    .map(([path]) => ({
      path,
      message:
        'is encrypted, but the certificate of the server is not checked, so that somebody in between can read along; allowed: the mode verify-full (and ca, where the authority is your own)',
    }));

/** Every URL of the configuration, and the field that names it. */
function urlsOf({ database, changeLog, cache, locks }: Servers): [path: string, url: string][] {
  const urls: [path: string, url: string][] = [];
  const addEach = (path: string, each: readonly string[]): void =>
    each.forEach((url, index) => urls.push([`${path}.${index}`, url]));
  if (database.mode === 'external') {
    urls.push(['database.connection', database.connection]);
    addEach('database.replicas', database.replicas);
  }
  if (changeLog.connection !== null) urls.push(['changeLog.connection', changeLog.connection]);
  if (cache.mode === 'single') urls.push(['cache.url', cache.url]);
  if (locks.mode === 'external') addEach('locks.nodes', locks.nodes);
  return urls;
}
