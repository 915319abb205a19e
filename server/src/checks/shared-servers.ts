/**
 * Coordinators of one database must use the same cache and the same lock nodes; otherwise they would miss each other's
 * writes. Each stores in a row of the database which servers it uses, by ids that are stored on the servers, and
 * compares with the rows of the others.
 *
 * States: outside -> joining -> joined -> outside.
 *   joining  its row is stored, and it compares until no live coordinator differs. If one still differs after
 *            PATIENCE_MS, the start fails
 *   joined   the row is renewed. Servers that have lost their id (they were emptied, or failed over) get one again
 *
 * Invariant: each stores its row before it compares, in separate statements, so of two that start at the same moment at
 * least one sees the other; and neither serves before it has compared.
 */
import type { FieldFault } from '@lockstep/shared';
import { isCached } from '../domain/index.ts';
import { type Config, ConfigError, formatFault } from '../config/index.ts';
import type { SqlRunner } from '../database/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { cachePath } from './redis-checks.ts';
import { redisServerId } from './redis-server-id.ts';
import { SHARED_SERVERS as SQL } from './statements.ts';

const BEAT_MS = 1_000;
const EXPIRY_MS = 5_000;
/** Longer than a coordinator needs to notice that the id of one of its servers has changed. */
const PATIENCE_MS = 4_000;
const COMPARE_EVERY_MS = 250;
/** The ids are read with every second beat. */
const BEATS_PER_READ = 2;
/** The id of a server that was not reached. */
const UNKNOWN = '?';

/** A server, and whether this instance runs it itself. */
export interface UsedServers {
  cacheUrl: string;
  isCacheOwn: boolean;
  lockUrls: readonly string[];
  /** Lock nodes that vote together. */
  lockGroupSize: number;
  areLocksOwn: boolean;
}

export interface SharedServersOptions {
  instance: string;
  /** Stays the same for this data folder. The ids of its embedded servers begin with it. */
  place: string;
  servers: UsedServers;
  sql: SqlRunner;
  runtime: Runtime;
}

interface Used {
  cacheId: string;
  /** The ids of the lock nodes, by group. Stored as `a,b,c;d,e,f`. */
  lockIds: LockIds;
}

type LockIds = readonly (readonly string[])[];

interface Other extends Used {
  instance: string;
  seenAt: string;
}

/** Whether it matters which servers others use. It does not if nothing is cached. */
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
  /** The text that was logged last. */
  #logged = '';

  constructor(options: SharedServersOptions) {
    this.#options = options;
    this.#proposed = options.runtime.ids.next();
  }

  /** The id that is stored in the cache; null while it is not known. */
  get cacheId(): string | null {
    return this.#used.cacheId === UNKNOWN ? null : this.#used.cacheId;
  }

  /** @throws ConfigError if a live coordinator uses another cache or other lock nodes */
  async join(): Promise<void> {
    const { runtime } = this.#options;
    this.#state = 'joining';
    await this.#readIds();
    const startedAtMs = runtime.clock.nowMs();
    const firstSeen = new Map<string, string>();
    for (;;) {
      await this.#storeRow();
      const others = await this.#differing();
      for (const { instance, seenAt } of others) {
        if (!firstSeen.has(instance)) firstSeen.set(instance, seenAt);
      }
      if (others.length === 0) break;
      const alive = others.filter(({ instance, seenAt }) => firstSeen.get(instance) !== seenAt);
      if (runtime.clock.nowMs() - startedAtMs > PATIENCE_MS && alive.length > 0) {
        // One of them is enough to show what is wrong.
        throw new ConfigError(alive.slice(0, 1).flatMap((other) => this.#faults(other)));
      }
      await runtime.timers.sleep(COMPARE_EVERY_MS);
      await this.#readIds();
    }
    this.#state = 'joined';
    this.#schedule();
  }

  /** Removes the row. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'outside') return;
    this.#state = 'outside';
    this.#timer?.cancel();
    await this.#beating;
    const { sql, instance, runtime } = this.#options;
    await sql.run(SQL.delete, { instance }).catch((error: unknown) => {
      runtime.log.debug({ err: error }, 'the row of the used servers stays until it expires');
    });
  }

  #schedule(): void {
    if (this.#state !== 'joined') return;
    this.#timer = this.#options.runtime.timers.after(BEAT_MS, () => {
      this.#beating = this.#beat().then(() => this.#schedule());
    });
  }

  /** Renews the row and compares. Never rejects: while the database is away, no coordinator can join anyway. */
  async #beat(): Promise<void> {
    const { sql, runtime } = this.#options;
    try {
      this.#beats += 1;
      if (this.#beats % BEATS_PER_READ === 0) await this.#readIds();
      await this.#storeRow();
      const differing = await this.#differing();
      const lines = differing.flatMap((other) => this.#faults(other).map(formatFault));
      const text = lines.join(' | ');
      if (text !== '' && text !== this.#logged) runtime.log.error({ lines }, text);
      this.#logged = text;
      if (this.#beats % (3_600_000 / BEAT_MS) === 0) await sql.run(SQL.prune);
    } catch (error) {
      runtime.log.debug({ err: error }, 'could not renew the row of the used servers');
    }
  }

  async #readIds(): Promise<void> {
    const { servers, place } = this.#options;
    const idOf = (url: string, isOwn: boolean, own: string): Promise<string | null> =>
      redisServerId(url, isOwn ? `${place}-${own}` : this.#proposed, isOwn);
    const [cacheId, ...lockIds] = await Promise.all([
      idOf(servers.cacheUrl, servers.isCacheOwn, 'cache'),
      ...servers.lockUrls.map((url, index) => idOf(url, servers.areLocksOwn, `lock-${index}`)),
    ]);
    const before = this.#used;
    const lockIdsBefore = before.lockIds.flat();
    const known = lockIds.map((id, index) => id ?? lockIdsBefore[index] ?? UNKNOWN);
    this.#used = {
      cacheId: cacheId ?? before.cacheId,
      lockIds: inGroups(known, servers.lockGroupSize),
    };
  }

  async #storeRow(): Promise<void> {
    const { sql, instance } = this.#options;
    const { cacheId, lockIds } = this.#used;
    await sql.run(SQL.add, { instance, cacheId, lockIds: printLockIds(lockIds) });
  }

  async #differing(): Promise<Other[]> {
    const { sql, instance } = this.#options;
    const { rows } = await sql.run(SQL['list-others'], { instance, expiryMs: EXPIRY_MS });
    const others = rows.map((row) => ({
      instance: row['instance'] ?? '',
      cacheId: row['cache_id'] ?? UNKNOWN,
      lockIds: parseLockIds(row['lock_ids'] ?? ''),
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
      const path = servers.isCacheOwn ? 'cache' : cachePath(servers.cacheUrl);
      faults.push({ path, message: `is another cache than that of ${who}; ${mend}` });
    }
    const [ours, theirs] = [this.#used.lockIds, other.lockIds];
    if (areOtherNodes(ours.flat(), theirs.flat())) {
      const path = servers.areLocksOwn ? 'locks' : 'locks.nodes';
      faults.push({ path, message: `are other lock nodes than those of ${who}; ${mend}` });
    } else if (areOtherGroups(ours, theirs)) {
      const message = `are in other groups, or in another order of groups, than those of ${who}; ${mend}`;
      faults.push({ path: 'locks.nodes', message });
    }
    return faults;
  }
}

const isOtherId = (one: string, other: string): boolean =>
  one !== UNKNOWN && other !== UNKNOWN && one !== other;

function inGroups(ids: readonly string[], size: number): LockIds {
  const groups: (readonly string[])[] = [];
  for (let first = 0; first < ids.length; first += size)
    groups.push(ids.slice(first, first + size));
  return groups;
}

const printLockIds = (ids: LockIds): string => ids.map((group) => group.join(',')).join(';');
const parseLockIds = (text: string): LockIds => text.split(';').map((group) => group.split(','));

/** The order of the groups decides which of them has a key; the order within one decides nothing. */
const areOtherGroups = (ours: LockIds, theirs: LockIds): boolean =>
  ours.length !== theirs.length ||
  ours.some((group, index) => areOtherNodes(group, theirs[index] ?? []));

/** Compares in any order. A node that was not reached may be any node that the other side knows. */
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
