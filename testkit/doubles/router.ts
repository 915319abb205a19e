import { manualRuntime } from './manual-runtime.ts';
import { createHttpPeers } from '../../server/src/routing/http-peers.ts';
import { Membership } from '../../server/src/routing/membership.ts';
import type { Member, RoutingMode } from '../../server/src/routing/port.ts';
import { Router, type RoutingCounts } from '../../server/src/routing/router.ts';
import { systemRuntime } from '../../server/src/runtime/index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A member of a cluster that a test makes up. */
export const memberNamed = (instance: string, url: string, isSelf = false): Member => ({
  ...{ instance, url, isSelf, isLeaving: false, seenAgoMs: 0, upMs: 1_000 },
});

export interface RouterSettings {
  /** Default: `here`. */
  instance?: string;
  mode?: RoutingMode;
  /** Absent: nobody is known. */
  members?: () => Member[];
  draining?: () => boolean;
  maxForwards?: number;
  counts?: RoutingCounts;
  /** The addresses that callers' tokens may be sent to. Default: all. */
  listed?: Pick<ReadonlySet<string>, 'has'>;
}

/** A router over connections to real members; `settle` brings it the members as they are. */
export function testRouter(settings: RouterSettings = {}): {
  router: Router;
  settle: () => Promise<void>;
  close: () => void;
} {
  const {
    instance = 'here',
    mode = 'serve',
    members,
    draining = () => false,
    maxForwards = 10,
  } = settings;
  const { listed = { has: () => true } } = settings;
  const { counts = { add: () => {}, forwardTook: () => {} } } = settings;
  const runtime = systemRuntime(quiet);
  const peers = createHttpPeers(runtime);
  const timeless = manualRuntime();
  const membership = new Membership({
    ...{ instance, heartbeatMs: 1_000, expiryMs: 5_000, peers: listed, runtime: timeless },
    store: {
      beat: () => Promise.resolve(members?.() ?? []),
      remove: () => Promise.resolve(),
      prune: () => Promise.resolve(),
    },
    onMembers: (instances) => router.membersAre(instances),
  });
  const router = new Router({
    ...{ mode, membership, peers, maxForwards, draining, counts, runtime },
    ...{ waitTimeoutMs: 500, maxHoldMs: 500 },
  });
  return {
    router,
    settle: async () => {
      if (membership.isKnown) await timeless.advance(1_200);
      else await membership.join(`http://${instance}.test`);
    },
    close: () => peers.close(),
  };
}
