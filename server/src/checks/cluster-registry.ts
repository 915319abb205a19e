/**
 * Clusters of different databases that use one Redis must not have a cache key in common: each would take the other's
 * entries away, and where entries are `raw` it would answer them. Each coordinator says on the cache, and on the lock
 * nodes, which keys it uses, and looks at what the coordinators of other clusters say.
 *
 * States: outside -> joined -> outside.
 *   joined  the word is renewed, with the resources as they are by then, and looked at again. It expires by itself where
 *           the coordinator is killed.
 *
 * Invariant: each says what it is going to use before it looks, in one step on the server: one of two that start or
 * reload at the same moment sees the other. While the cache is away nothing is refused; what is found when it is back
 * is logged.
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
import { compareClusters, copyFault, type OnServers, strangersOn } from './cluster-checks.ts';
import { type ListedCoordinators, listedCoordinators } from './listed-coordinators.ts';
import { type Said, sayCluster } from './redis-clusters.ts';

export interface ClusterRegistryOptions {
  config: Pick<Config, 'cache' | 'locks'>;
  /** The database's own name for its Lockstep. */
  cluster: string;
  instance: string;
  databaseUrl: string;
  sql: SqlRunner;
  cacheUrl: string;
  lockUrls: readonly string[];
  /** As they are now. */
  resources: () => Iterable<Resource>;
  runtime: Runtime;
  /** How long the word stays without being renewed. Default: 30 s. */
  expiryMs?: number;
}

type Compared = ReturnType<typeof compareClusters>;

export class ClusterRegistry {
  readonly #options: ClusterRegistryOptions;
  readonly #expiryMs: number;
  #isJoined = false;
  /** Those of a reload that has not ended. */
  #proposed: readonly Resource[] = [];
  /** One word after another: the last one stays. */
  readonly #words = new Sequence();
  #timer: Timer | null = null;
  #logged = '';
  /** When each was seen first, by the monotonic clock. */
  #strangers: ReadonlyMap<string, number> = new Map();
  /** What was compared last, since most looks find what the one before has found. */
  #last: { words: string; compared: Compared } | null = null;

  constructor(options: ClusterRegistryOptions) {
    this.#options = options;
    this.#expiryMs = options.expiryMs ?? CLUSTER_EXPIRY_MS;
  }

  /**
   * @returns warnings about the lock nodes
   * @throws ConfigError where another cluster uses cache keys of the resources
   */
  async join(): Promise<FieldFault[]> {
    this.#isJoined = true;
    const { faults, warnings } = await this.#say([...this.#options.resources()]);
    if (faults.length > 0) {
      await this.stop();
      throw new ConfigError(faults);
    }
    this.#schedule();
    return warnings;
  }

  /** Says these too, until `settle`. @returns why they cannot be used beside other clusters' */
  async propose(resources: readonly Resource[]): Promise<FieldFault[]> {
    this.#proposed = resources;
    return (await this.#say(resources)).faults;
  }

  /** Says the resources as they are now. Never rejects. */
  async settle(): Promise<void> {
    this.#proposed = [];
    await this.#say([]);
  }

  /** Takes the word away. Never rejects. */
  async stop(): Promise<void> {
    if (!this.#isJoined) return;
    this.#isJoined = false;
    this.#timer?.cancel();
    await this.#words.ended();
    await this.#onServers(null);
  }

  #schedule(): void {
    if (!this.#isJoined) return;
    this.#timer = this.#options.runtime.timers.after(this.#expiryMs / 3, () => {
      void this.#beat().then(() => this.#schedule());
    });
  }

  async #beat(): Promise<void> {
    const { faults } = await this.#say([...this.#options.resources()]);
    const lines = [...this.#copyFaults(), ...faults].map(formatFault);
    const words = lines.join(' | ');
    if (words !== '' && words !== this.#logged) this.#options.runtime.log.error({ lines }, words);
    this.#logged = words;
  }

  /** Never rejects. */
  #say(resources: readonly Resource[]): Promise<Compared> {
    return this.#words.run(() => this.#sayNow(resources));
  }

  async #sayNow(resources: readonly Resource[]): Promise<Compared> {
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
    const said = { cache, lockNodes: nodes.flat() };
    this.#noteStrangers(strangersOn(cache, { name, listed }));
    return this.#compare(resources.map(announcedResource), said);
  }

  #compare(own: readonly AnnouncedResource[], said: OnServers): Compared {
    const words = JSON.stringify([own, said]);
    if (this.#last?.words === words) return this.#last.compared;
    const compared = compareClusters(own, said, this.#options.cluster, this.#options.config);
    this.#last = { words, compared };
    return compared;
  }

  /** Since when coordinators that use a copy of the database are seen. */
  #noteStrangers(instances: readonly string[]): void {
    const nowMs = this.#options.runtime.clock.nowMs();
    this.#strangers = new Map(
      instances.map((instance) => [instance, this.#strangers.get(instance) ?? nowMs]),
    );
  }

  /** Those whose words would have expired if they were not renewed. */
  #copyFaults(): FieldFault[] {
    const { runtime, config } = this.#options;
    const nowMs = runtime.clock.nowMs();
    const alive = [...this.#strangers].find(([, sinceMs]) => nowMs - sinceMs > this.#expiryMs);
    return alive === undefined ? [] : [copyFault(alive[0], config)];
  }

  /** Null where the database does not answer. */
  #listed(): Promise<ListedCoordinators | null> {
    return listedCoordinators(this.#options.sql).catch(() => null);
  }

  /** Another coordinator of the database could see it there now. */
  #isIn(listed: ListedCoordinators | null): boolean {
    return (listed?.get(this.#options.instance) ?? Infinity) < CLUSTER_EXPIRY_MS / 2;
  }

  /** The cache first. Nothing where a server does not answer. */
  #onServers(word: string | null): Promise<Said[][]> {
    const { cacheUrl, lockUrls, cluster, instance, runtime } = this.#options;
    return Promise.all(
      [cacheUrl, ...lockUrls].map((url) =>
        sayCluster(url, { cluster, instance }, word, this.#expiryMs).catch((error: unknown) => {
          runtime.log.debug(
            { err: error },
            'other clusters on a Redis server could not be looked at',
          );
          return [];
        }),
      ),
    );
  }
}

/** Where a database is, without credentials and settings. An address of the own machine says nothing elsewhere. */
function databaseName(url: string): string {
  try {
    const { protocol, host, hostname: name, pathname } = new URL(url);
    const isHere = ['', 'localhost', '127.0.0.1', '[::1]'].includes(name);
    return `${protocol}//${host}${pathname}${isHere ? ` on ${hostname()}` : ''}`;
  } catch {
    return `of a database that ${hostname()} uses`;
  }
}
