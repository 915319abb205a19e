/**
 * The cache's atomic steps by which a read lease is taken and filled, as Lua. The coordinator runs them for rows and
 * queries, and the client for computed resources.
 */
import batch from './entry-scripts/batch.lua?raw';
import prelude from './entry-scripts/entry.lua?raw';
import dropLease from './entry-scripts/drop-lease.lua?raw';
import fill from './entry-scripts/fill.lua?raw';
import invalidationMessages from './entry-scripts/invalidation-messages.lua?raw';
import leaseOrRead from './entry-scripts/lease-or-read.lua?raw';
import leaseRefresh from './entry-scripts/lease-refresh.lua?raw';

/**
 * The script that carries out one step for a batch of calls. `body` is the step; it reads the arguments of one call from
 * ARGV.
 */
export const stepSource = (body: string): string =>
  `${invalidationMessages}\n${prelude}\nlocal function step(ARGV)\n${body}\nend\n${batch}`;

/** Lua functions that write to invalidation streams, for scripts that are no steps on one entry. */
export const INVALIDATION_MESSAGES = invalidationMessages;

export const LEASE_OR_READ = stepSource(leaseOrRead);
export const FILL = stepSource(fill);
/** Only for computed resources, whose values a lease may stand in. */
export const LEASE_REFRESH = stepSource(leaseRefresh);
export const DROP_LEASE = stepSource(dropLease);
