/**
 * Coordinators of one database must use one cache and the same lock nodes: what one writes, another would not hear of.
 * Each says in the database what it uses, by ids that are stored in the servers themselves, and looks at what the
 * others say.
 *
 * States: outside -> joining -> joined -> outside.
 *   joining  its row is there, and it looks until nobody who is alive says otherwise. One who does, and goes on doing
 *            so, ends the start.
 *   joined   the row is renewed. Servers that lost their id (they were emptied, or failed over) have it written again.
 *
 * Invariant: each writes its row before it looks, in statements of their own: one of two that start at the same moment
 * sees the other, and neither serves before it has looked.
 */
import type { FieldFault } from '@lockstep/shared';
import { isCached } from '../domain/index.ts';
import { type Config, ConfigError, formatFault } from '../config/index.ts';
import type { SqlRunner } from '../database/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { redisServerId } from './redis-server-id.ts';
import { SHARED_SERVERS as SQL } from './statements.ts';

const BEAT_MS = 1_000;
const EXPIRY_MS = 5_000;
/** Longer than a coordinator needs to notice that a server of its own has another id by now. */
const PATIENCE_MS = 4_000;
const LOOK_EVERY_MS = 250;
/** Ids are asked for with every so many beats. */
const BEATS_PER_LOOK = 2;
/** A lock node that was not reached. */
const UNKNOWN = '?';

/** A server, and whether this instance runs it itself. */
export interface UsedServers {
  cacheUrl: string;
  isCacheOwn: boolean;
  lockUrls: readonly string[];
  areLocksOwn: boolean;
}

export interface SharedServersOptions {
  instance: string;
  /** The same in every life of this data folder: begins the ids of its embedded servers. */
  place: string;
  servers: UsedServers;
  sql: SqlRunner;
  runtime: Runtime;
}

interface Used {
  cacheId: string;
  lockIds: readonly string[];
}

interface Other extends Used {
  instance: string;
  seenAt: string;
}

/** Whether it matters what others use: nothing cached is never old. */
export const needsSharedServers = ({ resources }: Pick<Config, 'resources'>): boolean =>
  resources.some(isCached);

export class SharedServers {
  readonly #options: SharedServersOptions;
  readonly #proposed: string;
  #used: Used = { cacheId: UNKNOWN, lockIds: [] };
  #state: 'outside' | 'joining' | 'joined' = 'outside';
  #timer: Timer | null = null;
  #beating: Promise<void> = Promise.resolve();
  #beats = 0;
  /** The lines that were logged last. */
  #logged = '';

  constructor(options: SharedServersOptions) {
    this.#options = options;
    this.#proposed = options.runtime.ids.next();
  }

  /** @throws ConfigError where a coordinator that is alive uses another cache or other lock nodes */
  async join(): Promise<void> {
    const { runtime } = this.#options;
    this.#state = 'joining';
    await this.#lookAtServers();
    const startedAtMs = runtime.clock.nowMs();
    const firstSeen = new Map<string, string>();
    for (;;) {
      await this.#say();
      const others = await this.#differing();
      for (const { instance, seenAt } of others) {
        if (!firstSeen.has(instance)) firstSeen.set(instance, seenAt);
      }
      if (others.length === 0) break;
      const alive = others.filter(({ instance, seenAt }) => firstSeen.get(instance) !== seenAt);
      if (runtime.clock.nowMs() - startedAtMs > PATIENCE_MS && alive.length > 0) {
        // One of them is enough to tell what is wrong.
        throw new ConfigError(alive.slice(0, 1).flatMap((other) => this.#faults(other)));
      }
      await runtime.timers.sleep(LOOK_EVERY_MS);
      await this.#lookAtServers();
    }
    this.#state = 'joined';
    this.#schedule();
  }

  /** Takes the row away. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'outside') return;
    this.#state = 'outside';
    this.#timer?.cancel();
    await this.#beating;
    const { sql, instance, runtime } = this.#options;
    await sql.run(SQL.delete, { instance }).catch((error: unknown) => {
      runtime.log.debug({ err: error }, 'what this coordinator used stays said until it expires');
    });
  }

  #schedule(): void {
    if (this.#state !== 'joined') return;
    this.#timer = this.#options.runtime.timers.after(BEAT_MS, () => {
      this.#beating = this.#beat().then(() => this.#schedule());
    });
  }

  /** Never rejects: while the database is away nobody joins. */
  async #beat(): Promise<void> {
    const { sql, runtime } = this.#options;
    try {
      this.#beats += 1;
      if (this.#beats % BEATS_PER_LOOK === 0) await this.#lookAtServers();
      await this.#say();
      const differing = await this.#differing();
      const lines = differing.flatMap((other) => this.#faults(other).map(formatFault));
      const words = lines.join(' | ');
      if (words !== '' && words !== this.#logged) runtime.log.error({ lines }, words);
      this.#logged = words;
      if (this.#beats % (3_600_000 / BEAT_MS) === 0) await sql.run(SQL.prune);
    } catch (error) {
      runtime.log.debug({ err: error }, 'what this coordinator uses could not be said');
    }
  }

  async #lookAtServers(): Promise<void> {
    const { servers, place } = this.#options;
    const idOf = (url: string, isOwn: boolean, own: string): Promise<string | null> =>
      redisServerId(url, isOwn ? `${place}-${own}` : this.#proposed, isOwn);
    const [cacheId, ...lockIds] = await Promise.all([
      idOf(servers.cacheUrl, servers.isCacheOwn, 'cache'),
      ...servers.lockUrls.map((url, index) => idOf(url, servers.areLocksOwn, `lock-${index}`)),
    ]);
    const before = this.#used;
    this.#used = {
      cacheId: cacheId ?? before.cacheId,
      lockIds: lockIds.map((id, index) => id ?? before.lockIds[index] ?? UNKNOWN),
    };
  }

  async #say(): Promise<void> {
    const { sql, instance } = this.#options;
    const { cacheId, lockIds } = this.#used;
    await sql.run(SQL.add, { instance, cacheId, lockIds: lockIds.join(',') });
  }

  async #differing(): Promise<Other[]> {
    const { sql, instance } = this.#options;
    const { rows } = await sql.run(SQL['list-others'], { instance, expiryMs: EXPIRY_MS });
    const others = rows.map((row) => ({
      instance: row['instance'] ?? '',
      cacheId: row['cache_id'] ?? UNKNOWN,
      lockIds: (row['lock_ids'] ?? '').split(','),
      seenAt: row['seen_at'] ?? '',
    }));
    return others.filter((other) => this.#faults(other).length > 0);
  }

  #faults(other: Other): FieldFault[] {
    const { servers } = this.#options;
    const who = `the coordinator ${other.instance} of this database`;
    const mend =
      'allowed: the same on all of them (to move: stop every coordinator, then start them with the new one)';
    const faults: FieldFault[] = [];
    if (isOtherId(this.#used.cacheId, other.cacheId)) {
      const path = servers.isCacheOwn ? 'cache' : 'cache.url';
      faults.push({ path, message: `is another cache than that of ${who}; ${mend}` });
    }
    if (areOtherNodes(this.#used.lockIds, other.lockIds)) {
      const path = servers.areLocksOwn ? 'locks' : 'locks.nodes';
      faults.push({ path, message: `are other lock nodes than those of ${who}; ${mend}` });
    }
    return faults;
  }
}

const isOtherId = (one: string, other: string): boolean =>
  one !== UNKNOWN && other !== UNKNOWN && one !== other;

/** In any order; nodes that were not reached may be any of those that the other one knows. */
function areOtherNodes(ours: readonly string[], theirs: readonly string[]): boolean {
  const unknown = (ids: readonly string[]): number => ids.filter((id) => id === UNKNOWN).length;
  const missing = (from: readonly string[], ids: readonly string[]): number =>
    ids.filter((id) => id !== UNKNOWN && !from.includes(id)).length;
  return (
    ours.length !== theirs.length ||
    missing(theirs, ours) > unknown(theirs) ||
    missing(ours, theirs) > unknown(ours)
  );
}
