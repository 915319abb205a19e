/**
 * The resources as the coordinator has them: what is needed to read their entries.
 *
 * States: unknown -> known, and then refreshed in the background. While it is unknown every read goes to the coordinator.
 * A refresh that fails leaves what is known; entries that turn out to be another definition's ask for a refresh at once.
 */
import type { Catalog, CatalogResource } from '@lockstep/shared/for-clients';
import { isJsonObject, parseJson } from '@lockstep/shared/for-clients';
import { problemIn, strange } from './batches.ts';
import { CacheKeys } from './cache-key.ts';
import { tell } from './events.ts';
import type { CoordinatorPort } from './ports.ts';
import type { ClientRuntime, Timer } from './runtime.ts';
import type { Key } from './types.ts';

/** Bounds until the coordinator has told its own. */
const FIRST_LIMITS = { batchOperations: 64, bodyBytes: 128 * 1024 };
const TIMEOUT_MS = 5_000;
/** The pause after a failure, and the least one between two refreshes. */
const LEAST_PAUSE_MS = 500;

/** A resource whose entries can be read. */
export interface ReadableResource extends CatalogResource {
  keys: CacheKeys;
  /** Sessions remember the versions of its rows. */
  isTracked: boolean;
}

export interface CatalogOptions {
  transport: CoordinatorPort;
  runtime: ClientRuntime;
  refreshMs: number;
  /** Called after each refresh that succeeded. */
  onRefreshed: () => void;
}

export class ResourceCatalog {
  readonly #options: CatalogOptions;
  #resources = new Map<string, CatalogResource>();
  #readable = new Map<string, ReadableResource>();
  #cacheId: string | null = null;
  #hasReplicas = false;
  #limits = FIRST_LIMITS;
  #isKnown = false;
  #loading: Promise<void> | null = null;
  #timer: Timer | null = null;
  #askedAtMs = -Infinity;
  #fault: unknown = null;
  #closed = false;

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** What the cache must hold; null while the coordinator does not know. */
  get cacheId(): string | null {
    return this.#cacheId;
  }

  get hasReplicas(): boolean {
    return this.#hasReplicas;
  }

  get limits(): typeof FIRST_LIMITS {
    return this.#limits;
  }

  /** Why the last refresh failed; null where it did not. */
  get fault(): unknown {
    return this.#fault;
  }

  /** The resource as the coordinator has it. */
  resource(name: string): CatalogResource | undefined {
    return this.#resources.get(name);
  }

  /** The resource, if its entries can be read now. */
  readable(name: string): ReadableResource | undefined {
    return this.#readable.get(name);
  }

  get resources(): Iterable<CatalogResource> {
    return this.#resources.values();
  }

  /** One name for a row, by whatever resource and spelling it is named. */
  rowName(resource: string, parts: readonly string[]): string {
    const { rows = resource, rowOrder } = this.#resources.get(resource) ?? {};
    const own = rowOrder === undefined ? parts : rowOrder.map((place) => parts[place] ?? '');
    return own.length === 1 ? `${rows}\0${own[0]}` : `${rows}\0${JSON.stringify(own)}`;
  }

  /** Whether sessions remember the versions of its rows. */
  isTracked(name: string): boolean {
    const resource = this.#resources.get(name);
    return resource === undefined || isTracked(resource);
  }

  /** Loads it, and goes on refreshing it. Calls while it is loaded share the load. Never rejects. */
  refresh(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
      this.#later();
    });
    return this.#loading;
  }

  /** An entry was not as the catalog says: it may be old. */
  doubt(): void {
    if (this.#options.runtime.nowMs() - this.#askedAtMs >= LEAST_PAUSE_MS) void this.refresh();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #load(): Promise<void> {
    this.#askedAtMs = this.#options.runtime.nowMs();
    try {
      const request = { method: 'GET', path: '/v1/resources', timeoutMs: TIMEOUT_MS } as const;
      const reply = await this.#options.transport.request(request);
      const catalog = reply.status === 200 ? parseJson(reply.text) : null;
      if (!isJsonObject(catalog) || !Array.isArray(catalog['resources']))
        throw problemIn(reply) ?? strange(reply);
      this.#take(catalog as unknown as Catalog);
      this.#fault = null;
    } catch (error) {
      this.#fault = error;
    }
    const reason = this.#fault === null ? null : String(this.#fault);
    tell('lockstep:catalog', { ok: reason === null, resources: this.#resources.size, reason });
    if (reason === null && !this.#closed) this.#options.onRefreshed();
  }

  #take({ cacheId, hasReplicas, limits, resources }: Catalog): void {
    this.#resources = new Map(resources.map((resource) => [resource.name, resource]));
    this.#readable = new Map();
    for (const resource of resources) {
      const keys = resource.isReadable ? cacheKeysOf(resource) : null;
      if (keys !== null)
        this.#readable.set(resource.name, { ...resource, keys, isTracked: isTracked(resource) });
    }
    this.#cacheId = cacheId;
    this.#hasReplicas = hasReplicas;
    this.#limits = limits;
    this.#isKnown = true;
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    const { refreshMs, runtime } = this.#options;
    const pauseMs = this.#isKnown ? refreshMs : Math.min(refreshMs, LEAST_PAUSE_MS);
    this.#timer = runtime.inBackground(pauseMs, () => void this.refresh());
  }
}

/** Of a strict row everybody sees the latest version, unless it is read by another resource too that is not strict. */
const isTracked = ({ kind, isStrict, rowOrder }: CatalogResource): boolean =>
  kind === 'rows' && (!isStrict || rowOrder !== undefined);

/** Null where the template is none that this version understands: the coordinator then reads. */
function cacheKeysOf(resource: CatalogResource): CacheKeys | null {
  try {
    return new CacheKeys(resource);
  } catch {
    return null;
  }
}

/** The parts of a key as text, as far as this process knows: for names of rows, not for cache keys. */
export const partsAsGiven = (key: Key): string[] =>
  typeof key === 'object' ? key.map(String) : [String(key)];
