/**
 * Clusters of different databases that use one Redis must not have a cache key in common: each would delete the other's
 * entries, or, if they are `raw`, answer them. Each coordinator announces on the cache and on the lock nodes which keys
 * it uses, and compares with the announcements of other clusters.
 *
 * States: outside -> joined -> outside.
 *   joined  the announcement is renewed, with the present resources, and compared again. If the coordinator is killed,
 *           it expires
 *
 * Invariant: each coordinator announces before it reads, in one step on the server, so of two that start or reload at
 * the same moment at least one sees the other. While the cache is away nothing is refused; what is found afterwards is
 * logged.
 */
import { hostname } from 'node:os';
import type { FieldFault } from '@lockstep/shared';
import { type Config, ConfigError, formatFault } from '../config/index.ts';
import type { SqlRunner } from '../database/index.ts';
import {
  CLUSTER_EXPIRY_MS,
  type Resource,
  announcedResource,
  type AnnouncedResource,
} from '../domain/index.ts';
import { type Runtime, Sequence, type Timer } from '../runtime/index.ts';
import { compareClusters, copyFault, type Announcements, strangersOn } from './cluster-checks.ts';
import { type ListedCoordinators, listedCoordinators } from './listed-coordinators.ts';
import { type Announcement, announce } from './redis-clusters.ts';

export interface ClusterRegistryOptions {
  config: Pick<Config, 'cache' | 'locks'>;
  /** The cluster's name, which is stored in its database. */
  cluster: string;
  instance: string;
  databaseUrl: string;
  sql: SqlRunner;
  cacheUrl: string;
  lockUrls: readonly string[];
  /** The present resources. */
  resources: () => Iterable<Resource>;
  runtime: Runtime;
  /** How long the announcement lasts if it is not renewed. Default: 30 s. */
  expiryMs?: number;
}

type Compared = ReturnType<typeof compareClusters>;

export class ClusterRegistry {
  readonly #options: ClusterRegistryOptions;
  readonly #expiryMs: number;
  #isJoined = false;
  /** The resources of a reload that has not ended. */
  #proposed: readonly Resource[] = [];
  /** Announces one at a time, so that the latest announcement stays. */
  readonly #announcing = new Sequence();
  #timer: Timer | null = null;
  #logged = '';
  /** Coordinators that use a copy of the database: when each was seen first, by the monotonic clock. */
  #strangers: ReadonlyMap<string, number> = new Map();
  /** The last comparison, because most of them are of the same announcements as the one before. */
  #last: { input: string; compared: Compared } | null = null;

  constructor(options: ClusterRegistryOptions) {
    this.#options = options;
    this.#expiryMs = options.expiryMs ?? CLUSTER_EXPIRY_MS;
  }

  /**
   * @returns warnings about the lock nodes
   * @throws ConfigError if another cluster uses cache keys of the resources
   */
  async join(): Promise<FieldFault[]> {
    this.#isJoined = true;
    const { faults, warnings } = await this.#announce([...this.#options.resources()]);
    if (faults.length > 0) {
      await this.stop();
      throw new ConfigError(faults);
    }
    this.#schedule();
    return warnings;
  }

  /** Announces these resources too, until `endProposal`. @returns why they cannot be used beside those of other clusters */
  async propose(resources: readonly Resource[]): Promise<FieldFault[]> {
    this.#proposed = resources;
    return (await this.#announce(resources)).faults;
  }

  /** Announces the present resources alone. Never rejects. */
  async endProposal(): Promise<void> {
    this.#proposed = [];
    await this.#announce([]);
  }

  /** Removes the announcement. Never rejects. */
  async stop(): Promise<void> {
    if (!this.#isJoined) return;
    this.#isJoined = false;
    this.#timer?.cancel();
    await this.#announcing.ended();
    await this.#onServers(null);
  }

  #schedule(): void {
    if (!this.#isJoined) return;
    this.#timer = this.#options.runtime.timers.after(this.#expiryMs / 3, () => {
      void this.#beat().then(() => this.#schedule());
    });
  }

  async #beat(): Promise<void> {
    const { faults } = await this.#announce([...this.#options.resources()]);
    const lines = [...this.#copyFaults(), ...faults].map(formatFault);
    const text = lines.join(' | ');
    if (text !== '' && text !== this.#logged) this.#options.runtime.log.error({ lines }, text);
    this.#logged = text;
  }

  /** Never rejects. */
  #announce(resources: readonly Resource[]): Promise<Compared> {
    return this.#announcing.run(() => this.#announceNow(resources));
  }

  async #announceNow(resources: readonly Resource[]): Promise<Compared> {
    if (!this.#isJoined) return { faults: [], warnings: [] };
    const { cluster: name, databaseUrl, resources: present } = this.#options;
    const listed = await this.#listed();
    const used = [...present(), ...this.#proposed].map(announcedResource);
    const [cache = [], ...nodes] = await this.#onServers(
      JSON.stringify({
        name: databaseName(databaseUrl),
        isListed: this.#isIn(listed),
        resources: used,
      }),
    );
    const announced = { cache, lockNodes: nodes.flat() };
    this.#noteStrangers(strangersOn(cache, { name, listed }));
    return this.#compare(resources.map(announcedResource), announced);
  }

  #compare(own: readonly AnnouncedResource[], announced: Announcements): Compared {
    const input = JSON.stringify([own, announced]);
    if (this.#last?.input === input) return this.#last.compared;
    const compared = compareClusters(own, announced, this.#options.cluster, this.#options.config);
    this.#last = { input, compared };
    return compared;
  }

  /** Remembers since when coordinators that use a copy of the database are seen. */
  #noteStrangers(instances: readonly string[]): void {
    const nowMs = this.#options.runtime.clock.nowMs();
    this.#strangers = new Map(
      instances.map((instance) => [instance, this.#strangers.get(instance) ?? nowMs]),
    );
  }

  /** Reports a stranger that is alive: its announcement would have expired if it were not renewed. */
  #copyFaults(): FieldFault[] {
    const { runtime, config } = this.#options;
    const nowMs = runtime.clock.nowMs();
    const alive = [...this.#strangers].find(([, sinceMs]) => nowMs - sinceMs > this.#expiryMs);
    return alive === undefined ? [] : [copyFault(alive[0], config)];
  }

  /** Null if the database does not answer. */
  #listed(): Promise<ListedCoordinators | null> {
    return listedCoordinators(this.#options.sql).catch(() => null);
  }

  /** Whether this coordinator is listed, so that other coordinators of the database see it. */
  #isIn(listed: ListedCoordinators | null): boolean {
    return (listed?.get(this.#options.instance) ?? Infinity) < CLUSTER_EXPIRY_MS / 2;
  }

  /**
   * Stores or removes the announcement on each server. Returns the others': the cache's first; none of a server that
   * fails.
   */
  #onServers(content: string | null): Promise<Announcement[][]> {
    const { cacheUrl, lockUrls, cluster, instance, runtime } = this.#options;
    return Promise.all(
      [cacheUrl, ...lockUrls].map((url) =>
        announce(url, { cluster, instance }, content, this.#expiryMs).catch((error: unknown) => {
          runtime.log.debug({ err: error }, 'could not announce this cluster on a Redis server');
          return [];
        }),
      ),
    );
  }
}

/** A database's address without credentials and settings. A loopback address gets the host's name. */
function databaseName(url: string): string {
  try {
    const { protocol, host, hostname: name, pathname } = new URL(url);
    const isHere = ['', 'localhost', '127.0.0.1', '[::1]'].includes(name);
    return `${protocol}//${host}${pathname}${isHere ? ` on ${hostname()}` : ''}`;
  } catch {
    return `of a database that ${hostname()} uses`;
  }
}
