import type { IncomingMessage } from 'node:http';

/** Which web pages may call an instance. */
export interface OriginRule {
  /** `off`: callers show no token, so without a check of origins any web page could call through a browser. */
  mode: 'required' | 'off';
  /** Origins besides the instance's own, such as `https://lockstep.example.com`; their hosts are the instance's names. */
  origins: readonly string[];
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Without tokens, `Host` must be a loopback name or a configured one. Otherwise a web page could reach the instance by a
 * name of its own that points to 127.0.0.1 (DNS rebinding).
 * @returns what is wrong; null where nothing is
 */
export function hostFault(request: IncomingMessage, rule: OriginRule): string | null {
  const { host = '' } = request.headers;
  if (rule.mode === 'required' || LOOPBACK_HOST.test(host)) return null;
  if (rule.origins.some((origin) => isAt(origin, host))) return null;
  return 'With auth.mode off only a loopback address, or a host of auth.origins, may stand in the Host header.';
}

/** Whether the page that a browser names in `Origin` may call. Only browsers send that header. */
export function originFault({ headers }: IncomingMessage, rule: OriginRule): string | null {
  const { origin, host = '' } = headers;
  if (origin === undefined || rule.origins.includes(origin)) return null;
  if (isAt(origin, host)) return null;
  // A proxy may put its own name in Host and the original one here. A browser lets a page set this header only after a
  // preflight request. Without tokens it does not count at all.
  const asked = headers['x-forwarded-host'];
  if (rule.mode === 'required' && typeof asked === 'string' && isAt(origin, asked)) return null;
  return 'The page that calls is of another origin, which is not in auth.origins.';
}

/** Whether an origin is that of a host and port, whose port may be the scheme's own. */
function isAt(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: own } = new URL(origin);
  const there = `${protocol}//${host}`;
  return own !== '' && URL.canParse(there) && new URL(there).host === own;
}
