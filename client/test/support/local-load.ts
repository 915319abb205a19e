/**
 * Readers with values in memory beside writers, while their links to the cache and the invalidation stream itself go bad,
 * and a judge of the bound: no answer from memory is more than `maxLagMs` behind what was acknowledged as invalidated.
 * All times are of this process's monotonic clock, so the judgement depends on no speed.
 */
import { eventually } from '@lockstep/testkit/poll';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { type Client, createClient, LockstepError } from '../../src/index.ts';
import type { Bed } from './bed.ts';
import { newId } from './shop.ts';

const KEYS = 4;
const READERS = 3;
const MAX_LAG_MS = 400;
/** Of a run; a slow machine takes longer for them. */
const WRITES = 250;
/** How often each fault comes. */
const ROUNDS = 4;
const LEAST_LOCAL_READS = 500;
/** A run that has found this many violations has shown enough. */
const ENOUGH_VIOLATIONS = 5;

export interface LocalRun {
  localReads: number;
  violations: string[];
}

interface Acknowledged {
  version: number;
  atMs: number;
}

class Run {
  readonly violations: string[] = [];
  readonly #written = new Map<number, Acknowledged[]>();
  localReads = 0;
  writes = 0;
  hadAllFaults = false;

  get isOver(): boolean {
    if (this.violations.length >= ENOUGH_VIOLATIONS) return true;
    return this.hadAllFaults && this.writes >= WRITES && this.localReads >= LEAST_LOCAL_READS;
  }

  acknowledged(id: number, version: number): void {
    const all = this.#written.get(id) ?? [];
    all.push({ version, atMs: performance.now() });
    this.#written.set(id, all);
    this.writes += 1;
  }

  /** @param startedAtMs when the read was called */
  judge(id: number, source: string, version: number, startedAtMs: number): void {
    if (source === 'local') this.localReads += 1;
    const boundMs = startedAtMs - (source === 'local' ? MAX_LAG_MS : 0);
    const least = (this.#written.get(id) ?? []).findLast(({ atMs }) => atMs <= boundMs);
    if (least === undefined || version >= least.version) return;
    const lateMs = Math.round(startedAtMs - least.atMs);
    this.violations.push(
      `${source} answered ${id} v${version}, although v${least.version} was acknowledged ${lateMs} ms before`,
    );
  }
}

/** @param stream the key of the invalidation stream of `profile` */
export async function runLocalLoad(bed: Bed, stream: string, seed: number): Promise<LocalRun> {
  const random = new SeededRandom(seed);
  const { runtime } = bed.instance;
  const run = new Run();
  const links: FaultLink[] = [];
  const readers: Client[] = [];
  const writer = createClient({ url: runtime.url, token: runtime.serviceToken });
  try {
    const ids = Array.from({ length: KEYS }, newId);
    for (const id of ids)
      await eventually(() => writer.put('profile', id, { name: 'Ada', visits: 0 }));
    for (let n = 0; n < READERS; n++) {
      const link = await FaultLink.open({ targetPort: Number(new URL(runtime.cacheUrl).port) });
      links.push(link);
      const redis = new URL(runtime.cacheUrl);
      redis.port = String(link.port);
      readers.push(
        createClient({
          ...{ url: runtime.url, token: runtime.serviceToken, redis: redis.href },
          ...{ redisTimeoutMs: 200, local: { maxLagMs: MAX_LAG_MS } },
        }),
      );
    }
    await Promise.all([
      ...ids.map((id) => writing(run, writer, id)),
      ...readers.map((reader) => reading(run, reader, ids, random)),
      spoiling(run, bed, links, stream, random),
    ]);
  } finally {
    for (const link of links) link.heal();
    await Promise.all([writer, ...readers].map((each) => each.close()));
    await Promise.all(links.map((link) => link.close()));
  }
  return { localReads: run.localReads, violations: run.violations };
}

/** The only writer of its key, so that versions are acknowledged in their order. */
async function writing(run: Run, writer: Client, id: number): Promise<void> {
  while (!run.isOver) {
    try {
      const { version, cache } = await writer.patch('profile', id, { $inc: { visits: 1 } });
      if (cache === 'invalidated') run.acknowledged(id, version);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
    }
    await pause(30);
  }
}

/** Each read is in a session of its own: what a session has seen would hide what memory answers. */
async function reading(
  run: Run,
  reader: Client,
  ids: readonly number[],
  random: SeededRandom,
): Promise<void> {
  while (!run.isOver) {
    const id = ids[Math.floor(random.next() * ids.length)] ?? 0;
    const startedAtMs = performance.now();
    try {
      const read = await reader.session().get('profile', id);
      run.judge(id, read?.source ?? '', read?.version ?? 0, startedAtMs);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
    }
    await pause(1);
  }
}

/** Breaks one thing after the other, and lets it heal in between. */
async function spoiling(
  run: Run,
  bed: Bed,
  links: readonly FaultLink[],
  stream: string,
  random: SeededRandom,
): Promise<void> {
  const faults: ((link: FaultLink) => unknown)[] = [
    (link) => link.reset(),
    (link) => link.set('down', { stalled: true }),
    (link) => link.set('up', { stalled: true }),
    (link) => link.set('both', { latencyMs: random.next() * MAX_LAG_MS }),
    () => bed.redis.xtrim(stream, 'MAXLEN', 0),
    () => bed.redis.del(stream),
  ];
  for (let n = 0; n < ROUNDS * faults.length && !run.isOver; n++) {
    // Each link meets each fault in time.
    const link = links[(n + Math.floor(n / faults.length)) % links.length];
    if (link !== undefined) await faults[n % faults.length]?.(link);
    await pause(random.next() * 2 * MAX_LAG_MS);
    link?.heal();
    await pause(random.next() * MAX_LAG_MS);
  }
  run.hadAllFaults = true;
}

/** The pace of the load; nothing is concluded from it. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
