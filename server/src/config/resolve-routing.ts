import type { RoutingConfig } from './config.ts';
import type { Faults } from './resolve-servers.ts';
import type { Groups } from './schema.ts';
import { formatDuration } from './settings.ts';

/** A member must be able to miss one heartbeat. */
const LEAST_BEATS_PER_EXPIRY = 2;

export function resolveRouting(
  raw: Groups['routing'],
  listen: Groups['listen'],
  auth: Groups['auth'],
  faults: Faults,
): RoutingConfig {
  const { mode, address = null, peers, maxForwards } = raw;
  const { heartbeat: heartbeatMs, expiry: expiryMs } = raw;
  if (expiryMs < heartbeatMs * LEAST_BEATS_PER_EXPIRY) {
    faults.push({
      path: 'routing.expiry',
      message: `is ${formatDuration(expiryMs)}; allowed: at least twice routing.heartbeat (${formatDuration(heartbeatMs)})`,
    });
  }
  if (mode === 'forward' && address === null && isEverywhere(listen.host)) {
    faults.push({
      path: 'routing.address',
      message: `is missing while listen.host is ${listen.host} and routing.mode is forward; allowed: the URL under which other coordinators reach this one`,
    });
  }
  if (mode === 'forward' && peers.length === 0) {
    faults.push({
      path: 'routing.peers',
      message:
        'is missing while routing.mode is forward; allowed: the addresses of the other coordinators, which callers’ tokens are sent to',
    });
  }
  // Otherwise each coordinator generates its own token, and refuses those of the others' callers.
  if (mode === 'forward' && auth.mode === 'required' && auth.tokens.service === undefined) {
    faults.push({
      path: 'auth.tokens.service',
      message:
        'is missing while routing.mode is forward; allowed: the same token on every coordinator',
    });
  }
  return { mode, address, peers, heartbeatMs, expiryMs, maxForwards };
}

const isEverywhere = (host: string): boolean => ['0.0.0.0', '::', '[::]'].includes(host);
