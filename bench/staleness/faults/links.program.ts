/** The process of the network: links in front of the servers, with faults until it is stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { type FaultCounts, type LinkFault, nextLinkFault } from './plan.ts';

export interface NetworkOptions {
  seed: number;
  /** The ports of the servers. Each gets a link. */
  targetPorts: readonly number[];
}
export type ToNetwork = 'begin' | 'heal';
export type FromNetwork = { ports: number[] } | { healed: FaultCounts };

const { seed, targetPorts } = JSON.parse(process.argv[2] ?? '') as NetworkOptions;
const random = new SeededRandom(seed);
const jitter = random.fork();
const links = await Promise.all(
  targetPorts.map((targetPort) => FaultLink.open({ targetPort, random: () => jitter.next() })),
);
const healing = new AbortController();
let faults: Promise<FaultCounts> | null = null;

process.on('message', (message: ToNetwork) => {
  if (message === 'begin') faults = makeFaults();
  else void heal();
});
process.on('disconnect', () => process.exit(0));
send({ ports: links.map((link) => link.port) });

async function makeFaults(): Promise<FaultCounts> {
  const counts: FaultCounts = {};
  while (!healing.signal.aborted) {
    const fault = nextLinkFault(random);
    await pass(fault.afterMs);
    const link = links[Math.floor(fault.at * links.length)];
    if (link === undefined || healing.signal.aborted) continue;
    counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
    await put(link, fault);
  }
  return counts;
}

async function put(link: FaultLink, fault: LinkFault): Promise<void> {
  if (fault.kind === 'late')
    link.set(fault.direction, { latencyMs: fault.latencyMs, jitterMs: fault.jitterMs });
  if (fault.kind === 'stalled' || fault.kind === 'lost')
    link.set(fault.direction, { stalled: true });
  await pass(fault.forMs);
  if (fault.kind === 'lost' || fault.kind === 'cut') link.reset();
  link.heal();
}

async function heal(): Promise<void> {
  healing.abort();
  send({ healed: (await faults) ?? {} });
}

/** Waits, but no longer than until the faults end. */
async function pass(ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: healing.signal }).catch(() => undefined);
}

function send(message: FromNetwork): void {
  process.send?.(message);
}
