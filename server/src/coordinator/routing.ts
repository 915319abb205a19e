import { hostname } from 'node:os';
import type { Config } from '../config/index.ts';
import {
  createHttpPeers,
  createMembershipStore,
  Membership,
  Router,
  type Peers,
} from '../routing/index.ts';
import type { EngineOptions } from './engine-options.ts';
import type { WorkerWorld } from './worker-world.ts';

/** This coordinator's membership and its router. */
export function composeRouting(
  {
    config,
    instance,
    database,
    metrics,
    runtime,
    worker,
  }: EngineOptions & { worker: WorkerWorld | null },
  draining: () => boolean,
): { router: Router; membership: Membership; peers: Peers } {
  const { mode, peers: addresses, heartbeatMs, expiryMs, maxForwards } = config.routing;
  const peers = createHttpPeers(runtime);
  const membership = new Membership({
    store: createMembershipStore(database),
    onMembers: (instances) => router.membersAre(instances),
    ...{ instance, heartbeatMs, expiryMs, peers: listed(addresses, worker), runtime },
  });
  const router = new Router({
    waitTimeoutMs: config.locks.waitTimeoutMs,
    maxHoldMs: config.locks.maxHoldMs,
    counts: metrics.routing,
    shownUrl: (url) => (worker?.isPrivate(url) === true ? worker.url : url),
    ...{ mode, membership, peers, maxForwards, draining, runtime },
  });
  return { router, membership, peers };
}

/** The configured addresses, and those of the other workers of this coordinator, which its parent process tells. */
function listed(
  addresses: readonly string[],
  worker: WorkerWorld | null,
): Pick<ReadonlySet<string>, 'has'> {
  const peers = new Set(addresses);
  return { has: (url) => peers.has(url) || worker?.siblings.has(url) === true };
}

/** The URL at which other coordinators reach this one. If it listens on every address, that has its host's name. */
export function ownAddress({ routing }: Pick<Config, 'routing'>, url: string): string {
  const { hostname: listening, port } = new URL(url);
  const isEverywhere = listening === '0.0.0.0' || listening === '[::]';
  return routing.address ?? (isEverywhere ? `http://${hostname()}:${port}` : url);
}
