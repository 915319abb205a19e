import type { IncomingMessage } from 'node:http';
import { LockstepError } from '../domain/index.ts';

/** Most header lines of one request. Node would silently drop those beyond its own bound. */
export const MAX_HEADER_LINES = 256;

/** Headers that a request may have once: of two, nobody could say which one counts. */
const SINGLE =
  /^(host|authorization|content-length|content-type|content-encoding|if-match|origin|idempotency-key|lockstep-.*)$/;
/** What a host and port may be made of (RFC 3986, 3.2.2). */
const HOST = /^[\w.~!$&'()*+,;=%:[\]-]*$/;
const ABSOLUTE = /^https?:\/\/([^/?#@]+)(\/[^#]*|\?[^#]*)?$/i;

/**
 * Checks the head of a request as RFC 9112 asks. A target in absolute form becomes what the rest of the server expects:
 * the path alone, with the target's authority as `Host`.
 * @returns what is wrong with the head; null where nothing is
 */
export function checkHead(request: IncomingMessage): LockstepError | null {
  const { rawHeaders } = request;
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) {
    const message = `A request has at most ${MAX_HEADER_LINES} header lines; this one has ${rawHeaders.length / 2}.`;
    return new LockstepError('HEADERS_TOO_LARGE', message);
  }
  // Nearly every request names each header once: only the others are looked at line by line.
  if (Object.keys(request.headers).length * 2 !== rawHeaders.length) {
    const twice = repeatedSingle(rawHeaders);
    if (twice !== null) return malformed(`The header ${twice} may stand in a request once.`);
  }
  const { host } = request.headers;
  if (host === undefined && request.httpVersion === '1.1') return malformed('Host is missing.');
  if (host !== undefined && !HOST.test(host)) return malformed('Host is not a host and a port.');
  return checkTarget(request);
}

function checkTarget(request: IncomingMessage): LockstepError | null {
  const { url = '', method } = request;
  // A target has no fragment. Programs on the way would disagree where its path ends.
  if (url.includes('#')) return malformed('The target has a #; in a path it is written %23.');
  if (url.startsWith('/')) return null;
  if (url === '*' && method === 'OPTIONS') return null;
  const [, authority, rest = '/'] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined || !HOST.test(authority)) {
    return malformed('The target is neither a path nor an http URL.');
  }
  request.headers.host = authority;
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  return null;
}

function repeatedSingle(rawHeaders: readonly string[]): string | null {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (!SINGLE.test(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}

const malformed = (message: string): LockstepError => new LockstepError('MALFORMED', message);
