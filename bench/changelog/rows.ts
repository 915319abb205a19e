import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '@lockstep/testkit/instances/instance';
import { quantileOf } from '../statistics.ts';
import { KEY_COUNT, type Database } from './database.ts';
import { counterOf, cpuSeconds, residentMib, untilCounted, watchKeys } from './measures.ts';

const CHANGES = 'lockstep_changelog_changes_total';
/** Rows of one transaction of the flood. */
const TRANSACTION_ROWS = 500;
/**
 * How many committed rows may not be followed yet. Without a limit, the database would have to keep more and more log.
 */
const MAX_AHEAD_ROWS = 50_000;
const MEMORY_SAMPLES = 20;

export interface Flood {
  changes: number;
  changesPerSecond: number;
  /** CPU of the coordinator for each change, in µs. */
  cpuMicrosEach: number;
  /** The coordinator's own memory at twenty moments, the first at a twentieth of the changes. */
  memoryMib: number[];
}

/** As many changes as the change log turns into invalidations, in transactions of 500 rows. */
export async function flood(
  instance: Instance,
  database: Database,
  changes: number,
): Promise<Flood> {
  const { url, pid } = instance;
  const before = await counterOf(url, CHANGES);
  const memoryMib: number[] = [];
  const cpuBefore = cpuSeconds(pid);
  const startMs = performance.now();
  let followed = 0;
  for (let sent = 0; sent < changes; sent += TRANSACTION_ROWS) {
    await database.changeMany(sent % KEY_COUNT, TRANSACTION_ROWS);
    while (sent - followed > MAX_AHEAD_ROWS) {
      await sleep(20);
      followed = (await counterOf(url, CHANGES)) - before;
    }
    if (sent >= ((memoryMib.length + 1) * changes) / MEMORY_SAMPLES)
      memoryMib.push(residentMib(pid));
  }
  await untilCounted(url, CHANGES, before + changes);
  memoryMib.push(residentMib(pid));
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    changes,
    changesPerSecond: changes / seconds,
    cpuMicrosEach: ((cpuSeconds(pid) - cpuBefore) * 1e6) / changes,
    memoryMib,
  };
}

export interface Pace {
  changesPerSecond: number;
  seconds: number;
  invalidated: number;
  /** From the statement's start until its commit is acknowledged. */
  commitP99Ms: number;
  /** From then until the cache reports that the key is written; 0 if that came first. */
  p50Ms: number;
  p99Ms: number;
  worstMs: number;
}

/**
 * Makes single changes at a fixed pace. Each is timed from its commit until the cache reports that the key is written.
 */
export async function pace(
  instance: Instance,
  database: Database,
  changesPerSecond: number,
  seconds: number,
): Promise<Pace> {
  const writtenAtMs = new Map<string, number>();
  const committedAtMs = new Map<string, number>();
  const commitMs: number[] = [];
  const watch = await watchKeys(instance.runtime.cacheUrl, 'item:', (cacheKey, atMs) => {
    if (!writtenAtMs.has(cacheKey)) writtenAtMs.set(cacheKey, atMs);
  });
  const change = async (id: number): Promise<void> => {
    const sentAtMs = performance.now();
    await database.changeOne(id);
    committedAtMs.set(`item:${id}`, performance.now());
    commitMs.push(performance.now() - sentAtMs);
  };
  // Each key is written once, so that each event belongs to one change.
  const total = Math.min(KEY_COUNT, changesPerSecond * seconds);
  const startMs = performance.now();
  const calls: Promise<void>[] = [];
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, ((performance.now() - startMs) / 1_000) * changesPerSecond);
    for (; sent < due; sent++) {
      calls.push(change(sent));
    }
    await sleep(1);
  }
  await Promise.all(calls);
  const deadlineMs = performance.now() + 10_000;
  while (writtenAtMs.size < total && performance.now() < deadlineMs) await sleep(20);
  watch.close();
  const tookMs = [...writtenAtMs].map(([cacheKey, atMs]) =>
    Math.max(0, atMs - (committedAtMs.get(cacheKey) ?? atMs)),
  );
  tookMs.sort((a, b) => a - b);
  commitMs.sort((a, b) => a - b);
  return {
    changesPerSecond,
    seconds,
    invalidated: tookMs.length,
    commitP99Ms: quantileOf(commitMs, 0.99),
    p50Ms: quantileOf(tookMs, 0.5),
    p99Ms: quantileOf(tookMs, 0.99),
    worstMs: quantileOf(tookMs, 1),
  };
}
