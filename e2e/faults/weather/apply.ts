import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ServerName } from '../cluster/cluster.ts';
import type { FaultLink } from '@lockstep/testkit/proxy/link';
import type { FaultKind, PlannedFault } from './fault.ts';

/** Ends a fault; what it broke works again, or is on its way. */
type End = () => Promise<void> | void;
type Begin = (cluster: Cluster, fault: PlannedFault) => Promise<End> | End;

const EXPIRE_EVERY_MS = 10;
const LOCK_KEYS = 'lockstep:lock:*';
const SCAN_COUNT = 1_000;

const BEGIN: Record<FaultKind, Begin> = {
  'coordinator-kill': async (cluster, fault) => {
    const coordinator = cluster.coordinator(coordinatorOf(fault));
    await coordinator.kill();
    return () => coordinator.launch();
  },
  'coordinator-pause': (cluster, fault) => {
    const coordinator = cluster.coordinator(coordinatorOf(fault));
    coordinator.pause();
    return () => coordinator.resume();
  },
  'clock-jump': (cluster, fault) => {
    const { clock } = cluster.coordinator(coordinatorOf(fault));
    clock?.set(Math.round(fault.amount));
    return () => clock?.set(0);
  },
  'lock-kill': killServer,
  'lock-pause': pauseServer,
  'lock-wipe': async (cluster, fault) => {
    await lockNode(cluster, serverOf(fault)).flushall();
    return () => undefined;
  },
  'lock-expire': expireLocks,
  'cache-kill': killServer,
  'cache-pause': pauseServer,
  'database-kill': killServer,
  'database-pause': pauseServer,
  'link-slow': (cluster, fault) => {
    const { amount } = fault;
    return worsen(cluster, fault, { latencyMs: amount, jitterMs: amount / 2 });
  },
  'link-thin': (cluster, fault) => worsen(cluster, fault, { bytesPerSecond: fault.amount }),
  'link-slice': (cluster, fault) =>
    worsen(cluster, fault, { slice: { bytes: Math.ceil(fault.amount), pauseMs: 1 } }),
  'link-cut': (cluster, fault) => worsen(cluster, fault, { stalled: true }),
  'link-black-hole': (cluster, fault) => {
    const link = linkOf(cluster, fault);
    link.blackHole();
    return () => link.heal();
  },
  'link-refuse': (cluster, fault) => {
    const link = linkOf(cluster, fault);
    link.accept('refuse');
    link.reset();
    return () => link.heal();
  },
  'link-reset': (cluster, fault) => {
    linkOf(cluster, fault).reset();
    return () => undefined;
  },
  'link-hang-up': (cluster, fault) => {
    linkOf(cluster, fault).hangUp();
    return () => undefined;
  },
};

/** Begins the fault, and resolves when it has lasted its time and has been ended. */
export async function applyFault(cluster: Cluster, fault: PlannedFault): Promise<void> {
  const end = await BEGIN[fault.kind](cluster, fault);
  await sleep(fault.forMs);
  await end();
}

async function killServer(cluster: Cluster, fault: PlannedFault): Promise<End> {
  const server = cluster.server(serverOf(fault));
  await server.kill();
  return () => server.restart();
}

function pauseServer(cluster: Cluster, fault: PlannedFault): End {
  const server = cluster.server(serverOf(fault));
  server.pause();
  return () => server.resume();
}

/** Takes every lock away as soon as it is seen: what a lock node does whose clock runs fast. */
function expireLocks(cluster: Cluster): End {
  let going = true;
  const expiring = cluster.behind.lockNodes.map(async (node) => {
    while (going) {
      const [, keys] = await node.scan(0, 'MATCH', LOCK_KEYS, 'COUNT', SCAN_COUNT);
      if (keys.length > 0) await node.unlink(...keys);
      await sleep(EXPIRE_EVERY_MS);
    }
  });
  return async () => {
    going = false;
    await Promise.all(expiring);
  };
}

function worsen(
  cluster: Cluster,
  fault: PlannedFault,
  changes: Parameters<FaultLink['set']>[1],
): End {
  const link = linkOf(cluster, fault);
  const direction = fault.target.type === 'link' ? fault.target.direction : 'both';
  link.set(direction, changes);
  return () => link.heal();
}

function linkOf(cluster: Cluster, { kind, target }: PlannedFault): FaultLink {
  if (target.type !== 'link') throw new TypeError(`${kind} wants a link`);
  return cluster.link(target.index, target.server);
}

function serverOf({ kind, target }: PlannedFault): ServerName {
  if (target.type !== 'server') throw new TypeError(`${kind} wants a server`);
  return target.name;
}

function coordinatorOf({ kind, target }: PlannedFault): number {
  if (target.type !== 'coordinator') throw new TypeError(`${kind} wants a coordinator`);
  return target.index;
}

function lockNode(cluster: Cluster, name: ServerName): Cluster['behind']['lockNodes'][number] {
  const node = cluster.behind.lockNodes[Number(name.slice('lock '.length)) - 1];
  if (node === undefined) throw new RangeError(`There is no ${name}`);
  return node;
}
