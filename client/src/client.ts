/**
 * The client: it reads entries from the cache itself, and sends everything else to the coordinator in batches.
 *
 * States: open -> closing (calls in flight end, new ones are refused) -> closed.
 */
import type { ResourceCatalog } from './catalog.ts';
import { nowMs } from './clock.ts';
import { composeClient } from './compose.ts';
import type { Computed } from './computed.ts';
import { invalidArgument, LockstepError } from './errors.ts';
import type { Gate } from './gate.ts';
import { type AskedKey, guarded } from './guard.ts';
import { InvalidationConnection } from './invalidation-connection.ts';
import { LocalLevel } from './local-level.ts';
import { leaseCalls } from './lease-calls.ts';
import { grantLease } from './lease.ts';
import { ManyReads, OneRead } from './read-results.ts';
import { ownCache } from './own-cache.ts';
import type { AnyResult, AskedRead, Reads } from './reads.ts';
import { RedisConnection, waitingClient } from './redis-connection.ts';
import { PROCESS_RUNTIME } from './runtime.ts';
import { Session } from './session.ts';
import { Transport } from './transport.ts';
import type {
  AnySchema,
  CallOptions,
  Client,
  ClientOptions,
  Columns,
  ComputedOptions,
  ComputedResult,
  DeclaredSchema,
  Guard,
  GuardOptions,
  InvalidationResult,
  Key,
  Lease,
  LeaseOptions,
  Loader,
  Operations,
  ReadOptions,
  ReadResult,
  Schema,
  SetOptions,
  SetResult,
  TransactionOperation,
  TransactionOptions,
  Where,
  WriteOptions,
  WriteResult,
} from './types.ts';
import type { AskedWrite, Writes } from './writes.ts';

const READY_POLL_MS = 10;
const DEFAULT_LOCAL_BYTES = 32 * 1024 * 1024;
const DEFAULT_LAG_MS = 1_000;
const LEAST_LAG_MS = 20;

/** What the client and its sessions have in common. */
interface OperationsOptions {
  reads: Reads;
  writes: Writes;
  /** Counts calls that are not answered, and refuses new ones where the client is closing. */
  gate: Gate;
}

/** @throws LockstepError `INVALID` where an option is wrong. It connects in the background: nothing is waited for. */
export function createClient<S extends Schema<S> = DeclaredSchema>(
  options: ClientOptions,
): Client<S>;
// Types do not exist at run time: the same client serves every schema.
export function createClient(options: ClientOptions): Client<AnySchema> {
  return new LockstepClient(options);
}

class SessionOperations implements Operations<AnySchema> {
  protected readonly options: OperationsOptions;
  readonly #session: Session;

  constructor(options: OperationsOptions, session: Session) {
    this.options = options;
    this.#session = session;
  }

  get(resource: string, key: Key, options: ReadOptions = {}): Promise<ReadResult | null> {
    const { reads, gate } = this.options;
    const result = new Promise<AnyResult>((resolve, reject) => {
      gate.enter();
      const asked: AskedRead = { resource, key, options, session: this.#session };
      const sink = new OneRead(gate, resolve, reject);
      sink.startWith(() => reads.read(asked, sink, 0));
    });
    return result as Promise<ReadResult | null>;
  }

  getMany(
    resource: string,
    keys: readonly Key[],
    options: ReadOptions = {},
  ): Promise<(ReadResult | null)[]> {
    const { reads, gate } = this.options;
    const results = new Promise<AnyResult[]>((resolve, reject) => {
      gate.enter();
      const sink = new ManyReads(gate, keys.length, resolve, reject);
      sink.startWith(() => {
        reads.readMany({ resource, options, session: this.#session }, keys, sink);
      });
    });
    return results as Promise<(ReadResult | null)[]>;
  }

  insert(resource: string, value: Columns, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write({ op: 'insert', resource, key: undefined, value, options });
  }

  put(
    resource: string,
    key: Key,
    value: Columns,
    options: WriteOptions = {},
  ): Promise<WriteResult> {
    return this.#write({ op: 'put', resource, key, value, options });
  }

  patch(
    resource: string,
    key: Key,
    value: Columns,
    options: WriteOptions = {},
  ): Promise<WriteResult> {
    return this.#write({ op: 'patch', resource, key, value, options });
  }

  delete(resource: string, key: Key, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write({ op: 'delete', resource, key, value: undefined, options });
  }

  updateWhere(
    resource: string,
    where: Where,
    value: Columns,
    options: SetOptions = {},
  ): Promise<SetResult> {
    return this.#set(resource, where, value, options);
  }

  deleteWhere(resource: string, where: Where, options: SetOptions = {}): Promise<SetResult> {
    return this.#set(resource, where, undefined, options);
  }

  transaction(
    operations: readonly TransactionOperation[],
    options: TransactionOptions = {},
  ): Promise<WriteResult[]> {
    const { gate, writes } = this.options;
    return gate.pass(() => writes.transaction(operations, options, this.#session));
  }

  invalidate(
    keys: readonly { resource: string; key: Key }[],
    options: CallOptions = {},
  ): Promise<InvalidationResult[]> {
    const { gate, writes } = this.options;
    return gate.pass(() => writes.invalidate(keys, options));
  }

  #set(
    resource: string,
    where: Where,
    value: Columns | undefined,
    options: SetOptions,
  ): Promise<SetResult> {
    const { gate, writes } = this.options;
    return gate.pass(() => writes.set(resource, where, value, options, this.#session));
  }

  #write(asked: Omit<AskedWrite, 'session'>): Promise<WriteResult> {
    const { gate, writes } = this.options;
    return gate.pass(() => writes.write({ ...asked, session: this.#session }));
  }
}

class LockstepClient extends SessionOperations implements Client<AnySchema> {
  readonly #transport: Transport;
  readonly #catalog: ResourceCatalog;
  readonly #connection: RedisConnection | null;
  readonly #local: LocalLevel | null;
  readonly #computed: Computed;
  readonly #timeoutMs: number;
  readonly #sessionKeys: number;

  constructor(options: ClientOptions) {
    const { timeoutMs = 10_000, sessionKeys = 10_000 } = options;
    const transport = openTransport(options);
    let connection = null as RedisConnection | null;
    let local = null as LocalLevel | null;
    const { reads, writes, gate, catalog, computed } = composeClient({
      ...{ transport, options, timeoutMs, runtime: PROCESS_RUNTIME },
      openCache: (catalog) => {
        connection = openConnection(options, catalog);
        return connection && ownCache(connection);
      },
      openLocal: (catalog) => (local = openLocalLevel(options, catalog)),
      onCatalog: (catalog) => {
        connection?.catalogRefreshed();
        local?.catalogRefreshed(catalog.resources);
      },
    });
    super({ reads, writes, gate }, new Session(sessionKeys));
    this.#computed = computed;
    this.#transport = transport;
    this.#catalog = catalog;
    this.#connection = connection;
    this.#local = local;
    this.#timeoutMs = timeoutMs;
    this.#sessionKeys = sessionKeys;
    void catalog.refresh();
  }

  session(): Operations<AnySchema> {
    return new SessionOperations(this.options, new Session(this.#sessionKeys));
  }

  computed<K extends Key, Value>(
    resource: string,
    key: K,
    load: Loader<K, Value>,
    options: ComputedOptions = {},
  ): Promise<ComputedResult<Value>> {
    const asked = { resource, key, load: load as Loader<Key, unknown>, options };
    return this.options.gate.pass(() => this.#computed.get(asked)) as Promise<
      ComputedResult<Value>
    >;
  }

  lease(resource: string, key: Key, options: LeaseOptions): Promise<Lease> {
    const { gate, writes } = this.options;
    return gate.pass(() =>
      grantLease(resource, leaseCalls(writes, resource, key, options), options),
    );
  }

  async withLease<T>(
    resource: string,
    key: Key,
    options: LeaseOptions,
    work: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    const lease = await this.lease(resource, key, options);
    let result: T;
    try {
      result = await work(lease);
    } catch (error) {
      // What the work failed with tells more than what becomes of the lease, which ends with its TTL at the latest.
      await lease.release().catch(() => undefined);
      throw error;
    }
    await lease.release();
    return result;
  }

  guard<T>(
    keys: readonly AskedKey[],
    work: (guard: Guard) => Promise<T>,
    options: GuardOptions = {},
  ): Promise<T> {
    const { gate, writes } = this.options;
    return gate.pass(() => guarded(writes, keys, work, options));
  }

  async ready({ timeoutMs = this.#timeoutMs, signal }: CallOptions = {}): Promise<void> {
    const deadlineMs = nowMs() + timeoutMs;
    while (!this.#catalog.isKnown || this.#connection?.isUp === false) {
      this.options.gate.assertOpen();
      if (signal?.aborted === true) throw this.#notReady('ABORTED', signal.reason);
      if (nowMs() >= deadlineMs) throw this.#notReady('TIMEOUT');
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  async close(): Promise<void> {
    await this.options.gate.close();
    this.#catalog.close();
    this.#connection?.close();
    this.#local?.close();
    await this.#transport.close();
  }

  #notReady(code: 'TIMEOUT' | 'ABORTED', cause?: unknown): LockstepError {
    const { isKnown, fault } = this.#catalog;
    const reason = isKnown ? this.#connection?.reason : String(fault);
    return new LockstepError(code, `The client is not ready: ${reason ?? ''}`, { cause });
  }
}

function openTransport({ url, token, connections = 16 }: ClientOptions): Transport {
  try {
    // Reads, writes and contended writes have their batches each, and some calls have none.
    return new Transport(url, token, connections * 4);
  } catch (cause) {
    throw invalidArgument('url', `must be the coordinator's address: ${String(cause)}`);
  }
}

function openConnection(
  { redis, redisTimeoutMs = 250 }: ClientOptions,
  catalog: ResourceCatalog,
): RedisConnection | null {
  if (redis === undefined) return null;
  const serverId = (): string | null => catalog.cacheId;
  return new RedisConnection({ redis, timeoutMs: redisTimeoutMs, serverId });
}

function openLocalLevel(
  { redis, redisTimeoutMs = 250, local = {} }: ClientOptions,
  catalog: ResourceCatalog,
): LocalLevel | null {
  if (redis === undefined || local === false) return null;
  const { maxBytes = DEFAULT_LOCAL_BYTES, maxLagMs = DEFAULT_LAG_MS } = local;
  if (!(maxBytes >= 0)) throw invalidArgument('local.maxBytes', 'must be a number of bytes');
  if (!(maxLagMs >= LEAST_LAG_MS))
    throw invalidArgument('local.maxLagMs', `must be at least ${LEAST_LAG_MS}`);
  const connect = waitingClient(redis);
  const serverId = (): string | null => catalog.cacheId;
  if (connect === null) return null;
  return new LocalLevel({
    ...{ maxBytes, maxLagMs, runtime: PROCESS_RUNTIME },
    connect: (waitMs) =>
      new InvalidationConnection({
        client: connect(waitMs + redisTimeoutMs),
        ...{ serverId, waitMs },
      }),
  });
}
