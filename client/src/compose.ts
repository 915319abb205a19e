/**
 * Connects what the client decides to its ports. Nothing that is imported here opens a connection, so the simulation
 * uses the same wiring on other ports.
 */
import { Batches } from './batches.ts';
import { ResourceCatalog } from './catalog.ts';
import { Computed } from './computed.ts';
import { Gate } from './gate.ts';
import type { CachePort, CoordinatorPort, LocalValues } from './ports.ts';
import { Reads } from './reads.ts';
import { Retries } from './retries.ts';
import type { ClientRuntime } from './runtime.ts';
import type { ClientOptions } from './types.ts';
import { Writes } from './writes.ts';

export interface ComposeOptions {
  transport: CoordinatorPort;
  /**
   * Opens the cache, which is verified by what the catalog says. Null: every read goes to the coordinator, and nothing
   * is cached.
   */
  openCache: (catalog: ResourceCatalog) => CachePort | null;
  /** Opens what keeps values in memory. Null: nothing is kept. */
  openLocal: (catalog: ResourceCatalog) => LocalValues | null;
  /** Called after each refresh of the catalog that succeeded. */
  onCatalog: (catalog: ResourceCatalog) => void;
  /** With their defaults where they are absent. */
  options: Omit<ClientOptions, 'url' | 'token' | 'redis'>;
  timeoutMs: number;
  runtime: ClientRuntime;
}

/** The parts that a client's operations are made of. */
export interface ClientParts {
  catalog: ResourceCatalog;
  reads: Reads;
  writes: Writes;
  computed: Computed;
  /** Counts calls that are not answered, and refuses new ones where the client is closing. */
  gate: Gate;
}

/** Nothing runs on its own until the catalog is asked for. */
export function composeClient(asked: ComposeOptions): ClientParts {
  const { transport, openCache, openLocal, onCatalog, options, timeoutMs, runtime } = asked;
  const gate = new Gate();
  const retries = new Retries(options.retries, () => runtime.random());
  const refreshMs = options.catalogRefreshMs ?? 10_000;
  const onRefreshed = (): void => onCatalog(catalog);
  const catalog = new ResourceCatalog({ transport, refreshMs, runtime, onRefreshed });
  const cache = openCache(catalog);
  const local = openLocal(catalog);
  const batches = (kind: 'reads' | 'writes'): Batches =>
    new Batches({
      ...{ kind, transport, limits: () => catalog.limits, runtime },
      inFlight: options.batchesInFlight ?? 2,
      connections: options.connections ?? 16,
    });
  const common = { catalog, retries, timeoutMs, runtime };
  const reads = new Reads({ ...common, direct: cache, local, batches: batches('reads') });
  const writes = new Writes({
    ...{ ...common, transport },
    batches: { plain: batches('writes'), contended: batches('writes') },
    idempotencyKeys: options.idempotencyKeys ?? true,
  });
  const computed = new Computed({ catalog, gate, timeoutMs, cache, runtime });
  return { catalog, reads, writes, computed, gate };
}
