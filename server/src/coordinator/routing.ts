import { hostname } from 'node:os';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Metrics } from '../metrics/index.ts';
import {
  createHttpPeers,
  createMembershipStore,
  type Member,
  Membership,
  MemberRouter,
} from '../routing/index.ts';
import type { Runtime } from '../runtime/index.ts';

export interface RoutingOptions {
  config: Pick<Config, 'routing' | 'locks'>;
  instance: string;
  database: Database;
  metrics: Pick<Metrics, 'routing'>;
  draining: () => boolean;
  runtime: Runtime;
}

/** This coordinator among the others. */
export interface Routing {
  router: MemberRouter;
  /** Every coordinator on this database, also those to which nothing may be sent. */
  present(): readonly Member[];
  /** Tells the others where this one is. @param url where it listens */
  join(url: string): Promise<void>;
  /** Tells them that it stops. */
  leave(): void;
  stop(): Promise<void>;
}

export function composeRouting(options: RoutingOptions): Routing {
  const { config, instance, database, metrics, draining, runtime } = options;
  const { mode, address, peers: addresses, heartbeatMs, expiryMs, maxForwards } = config.routing;
  const peers = createHttpPeers(runtime);
  const membership = new Membership({
    store: createMembershipStore(database),
    onMembers: (instances) => router.membersAre(instances),
    ...{ instance, heartbeatMs, expiryMs, peers: new Set(addresses), runtime },
  });
  const router = new MemberRouter({
    waitTimeoutMs: config.locks.waitTimeoutMs,
    maxHoldMs: config.locks.maxHoldMs,
    counts: metrics.routing,
    ...{ mode, membership, peers, maxForwards, draining, runtime },
  });
  return {
    router,
    present: () => membership.present,
    join: (url) => membership.join(address ?? reachable(url, hostname())),
    leave: () => membership.leave(),
    stop: async () => {
      await membership.stop();
      peers.close();
    },
  };
}

/** An address for others: one that listens everywhere is reached by its host's name. */
export function reachable(url: string, host: string): string {
  const { hostname: listening, port } = new URL(url);
  return listening === '0.0.0.0' || listening === '[::]' ? `http://${host}:${port}` : url;
}
