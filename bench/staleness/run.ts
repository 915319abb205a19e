/** One contender's run: starts it, applies the load and the faults, and checks what they have left behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { lookAtAftermath } from './aftermath.ts';
import { openByHand } from './by-hand/contender.ts';
import { hasSubscriber, isByHand, readsReplica } from './by-hand/protocol.ts';
import { dropSlots, publishChanges } from './change-log.ts';
import type { Contender, ContenderName } from './contender.ts';
import type { Servers } from './servers.ts';
import { Network } from './faults/network.ts';
import { ProcessFaults } from './faults/process-faults.ts';
import { Load, type LoadResult } from './load.ts';
import { openLockstep } from './lockstep/contender.ts';
import type { RunResult } from './report.ts';
import { startReplica } from './replica.ts';
import { makeTable } from './tables.ts';

export interface RunOptions {
  contender: ContenderName;
  withFaults: boolean;
  requests: number;
  callers: number;
  seed: number;
  /** How long to wait after the load and the faults before checking what they have left behind. */
  settleMs: number;
  /** Called from time to time. */
  progress: (line: string) => void;
}

/** The servers and the folder of runs. */
export interface Place {
  servers: Servers;
  /** Where processes work. */
  folder: string;
}

/** Processes of each contender, so that one still serves while another is paused or killed. */
const PROCESSES = 2;
const PROGRESS_MS = 10_000;

export async function run(place: Place, options: RunOptions): Promise<RunResult> {
  const { contender: name, withFaults, seed } = options;
  const table = `${name.replaceAll('-', '_')}_${withFaults ? 'faults' : 'calm'}`;
  const { databaseUrl } = place.servers;
  await makeTable(databaseUrl, table);
  if (hasSubscriber(name)) await publishChanges(databaseUrl, table);
  const replica = readsReplica(name) ? await startReplica(databaseUrl, table) : null;
  const servers = replica === null ? place.servers : { ...place.servers, replicaUrl: replica.url };
  const network = withFaults ? await Network.open(servers, PROCESSES, seed) : null;
  try {
    const contender = await openContender(name, table, { ...place, servers }, network);
    try {
      const { load, faults } = await loadWithFaults(contender, network, options);
      await sleep(options.settleMs);
      const aftermath = await lookAtAftermath(place.servers, name, table, load.acknowledged);
      failIfCrashed(contender);
      return { contender: name, faults, load, aftermath };
    } finally {
      await contender.close();
    }
  } finally {
    await network?.close();
    await replica?.stop();
    await dropSlots(databaseUrl);
  }
}

function openContender(
  name: ContenderName,
  table: string,
  place: Place,
  network: Network | null,
): Promise<Contender> {
  const servers = network?.servers ?? Array.from({ length: PROCESSES }, () => place.servers);
  const { folder } = place;
  if (isByHand(name)) return openByHand({ name, table, servers, folder });
  const readerCacheUrl = network?.readerCacheUrl ?? place.servers.cacheUrl;
  return openLockstep({ name, table, servers, readerCacheUrl, folder });
}

async function loadWithFaults(
  contender: Contender,
  network: Network | null,
  options: RunOptions,
): Promise<{ load: LoadResult; faults: RunResult['faults'] }> {
  const load = new Load(contender, options);
  const saying = setInterval(() => {
    const share = Math.floor((100 * load.requests) / options.requests);
    options.progress(`  ${options.contender}: ${share}%`);
  }, PROGRESS_MS);
  try {
    if (network === null) return { load: await load.run(), faults: null };
    const random = new SeededRandom(options.seed + 1);
    const processFaults = new ProcessFaults(contender.processes, random);
    network.begin();
    processFaults.begin();
    let result: LoadResult;
    let faults: RunResult['faults'];
    try {
      result = await load.run();
    } finally {
      faults = { ...(await network.heal()), ...(await processFaults.heal()) };
    }
    return { load: result, faults };
  } finally {
    clearInterval(saying);
  }
}

function failIfCrashed({ processes }: Contender): void {
  for (const { crash } of processes) if (crash !== null) throw new Error(crash);
}
