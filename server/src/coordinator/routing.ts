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

/** This coordinator's membership and its router. */
export function composeRouting(
  { config, instance, database, metrics, runtime }: EngineOptions,
  draining: () => boolean,
): { router: Router; membership: Membership; peers: Peers } {
  const { mode, peers: addresses, heartbeatMs, expiryMs, maxForwards } = config.routing;
  const peers = createHttpPeers(runtime);
  const membership = new Membership({
    store: createMembershipStore(database),
    onMembers: (instances) => router.membersAre(instances),
    ...{ instance, heartbeatMs, expiryMs, peers: new Set(addresses), runtime },
  });
  const router = new Router({
    waitTimeoutMs: config.locks.waitTimeoutMs,
    maxHoldMs: config.locks.maxHoldMs,
    counts: metrics.routing,
    ...{ mode, membership, peers, maxForwards, draining, runtime },
  });
  return { router, membership, peers };
}

/** The URL at which other coordinators reach this one. If it listens on every address, that has its host's name. */
export function ownAddress({ routing }: Pick<Config, 'routing'>, url: string): string {
  const { hostname: listening, port } = new URL(url);
  const isEverywhere = listening === '0.0.0.0' || listening === '[::]';
  return routing.address ?? (isEverywhere ? `http://${hostname()}:${port}` : url);
}
