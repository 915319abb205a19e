/**
 * A double of the client for tests of services: in memory, with the same answers and errors, and with switches for what
 * a service must be ready for. It checks no columns, constraints or types: a database does that.
 */
import { invalidArgument, LockstepError } from './errors.ts';
import { guardSql } from './statements.ts';
import { matchingKeys, setResultOf } from './testing-where.ts';
import type {
  AnySchema,
  CacheOutcome,
  CallOptions,
  Client,
  Columns,
  ComputedOptions,
  ComputedResult,
  DeclaredSchema,
  Guard,
  GuardedKey,
  GuardOptions,
  InvalidationResult,
  Key,
  Lease,
  LeaseOptions,
  Loader,
  Operations,
  Policy,
  ReadOptions,
  ReadResult,
  Row,
  Schema,
  SetOptions,
  SetResult,
  TransactionOperation,
  TransactionOptions,
  Where,
  WriteOptions,
  WriteResult,
} from './types.ts';

export interface TestResource {
  /** Its key's columns, which stand in the row too. */
  key: readonly string[];
  /** Default: `strict`. */
  policy?: Policy;
}

/** A computed resource: it has no rows of its own. */
export interface TestComputedResource {
  /** The resources by whose writes its values are made anew, whatever rows they write. */
  computedFrom: readonly string[];
}

export interface TestClientOptions {
  resources: Readonly<Record<string, TestResource | TestComputedResource>>;
}

/** What the next writes meet. Each switch holds for so many writes, 1 if nothing is said. */
export interface TestSwitches {
  /** They answer `cache: 'pending'`. */
  cachePending(writes?: number): void;
  /** They reject with `OUTCOME_UNKNOWN`, and were applied or not. */
  outcomeUnknown(options?: { applied?: boolean; writes?: number }): void;
  /** They reject with `LOCK_TIMEOUT`. */
  lockTimeout(writes?: number): void;
  /** They, and reads of the coordinator, reject with `COORDINATOR_UNAVAILABLE`, until it is set back. */
  coordinatorAway(isAway: boolean): void;
  /** The next guards are lost: the double says of their transactions that they have not committed. */
  loseGuards(guards?: number): void;
  /** Leases that are held now are lost. */
  loseLeases(): void;
}

export interface TestClient<S extends Schema<S> = DeclaredSchema> extends Client<S> {
  readonly switches: TestSwitches;
}

export function createTestClient<S extends Schema<S> = DeclaredSchema>(
  options: TestClientOptions,
): TestClient<S>;
export function createTestClient(options: TestClientOptions): TestClient<AnySchema> {
  return new MemoryClient(options);
}

interface Stored {
  version: number;
  row: Row | null;
}

/** What a write answers of the cache where all went well. */
const CACHE_AFTER_WRITE: Readonly<Record<Policy, CacheOutcome>> = {
  strict: 'fresh',
  'delete-after-write': 'invalidated',
  'delayed-double-delete': 'invalidated',
  'change-log': 'pending',
  refresh: 'pending',
  none: 'none',
};

type Switch = 'pending' | 'unknown' | 'lockTimeout' | 'lostGuard';

type Write =
  | Exclude<TransactionOperation, { op: 'insert' }>
  | { op: 'insert'; resource: string; key: Key; value: Columns };

class MemoryClient implements TestClient<AnySchema> {
  readonly #resources: TestClientOptions['resources'];
  readonly #rows = new Map<string, Stored>();
  /** What writes answered, by their idempotency key. */
  readonly #outcomes = new Map<string, WriteResult[]>();
  /** JSON of what loaders answered, by resource and key. */
  readonly #computed = new Map<string, { resource: string; text: string }>();
  readonly #leases = new Map<string, { held: boolean; lost: AbortController }>();
  /** Keys that are guarded now. */
  readonly #guards = new Set<string>();
  readonly #left: Record<Switch, number> = {
    ...{ pending: 0, unknown: 0, lockTimeout: 0, lostGuard: 0 },
  };
  #isUnknownApplied = true;
  #isAway = false;
  #lastId = 0;
  /** Writes and invalidations, to see whether one came while a loader ran. */
  #writes = 0;
  #isClosed = false;

  readonly switches: TestSwitches = {
    cachePending: (writes = 1) => void (this.#left.pending = writes),
    outcomeUnknown: ({ applied = true, writes = 1 } = {}) => {
      this.#left.unknown = writes;
      this.#isUnknownApplied = applied;
    },
    lockTimeout: (writes = 1) => void (this.#left.lockTimeout = writes),
    coordinatorAway: (isAway) => void (this.#isAway = isAway),
    loseGuards: (guards = 1) => void (this.#left.lostGuard = guards),
    loseLeases: () => {
      for (const lease of this.#leases.values()) {
        lease.held = false;
        lease.lost.abort(new LockstepError('LEASE_LOST', 'The lease is lost.'));
      }
    },
  };

  constructor({ resources }: TestClientOptions) {
    this.#resources = resources;
  }

  session(): Operations<AnySchema> {
    return this;
  }

  get(resource: string, key: Key, options: ReadOptions = {}): Promise<ReadResult | null> {
    return later(() => {
      this.#enter(resource, options);
      const stored = this.#rows.get(nameOf(resource, key));
      const { version = 0, row = null } = stored ?? {};
      if (version < (options.minVersion ?? 0))
        throw new LockstepError('VERSION_MISMATCH', `The row has version ${version}.`, {
          details: { currentVersion: version },
        });
      if (row === null) return null;
      const source = options.consistency ?? 'cache';
      return { value: structuredClone(row), version, source };
    });
  }

  getMany(
    resource: string,
    keys: readonly Key[],
    options: ReadOptions = {},
  ): Promise<(ReadResult | null)[]> {
    return Promise.all(keys.map((key) => this.get(resource, key, options)));
  }

  insert(resource: string, value: Columns, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write(this.#withKey({ op: 'insert', resource, value }), options);
  }

  put(resource: string, key: Key, value: Columns, options: WriteOptions = {}) {
    return this.#write({ op: 'put', resource, key, value }, options);
  }

  patch(resource: string, key: Key, value: Columns, options: WriteOptions = {}) {
    return this.#write({ op: 'patch', resource, key, value }, options);
  }

  delete(resource: string, key: Key, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write({ op: 'delete', resource, key }, options);
  }

  transaction(
    operations: readonly TransactionOperation[],
    options: TransactionOptions = {},
  ): Promise<WriteResult[]> {
    const named =
      options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey };
    return later(() =>
      this.#apply(
        operations.map((each) => this.#withKey(each)),
        named,
      ),
    );
  }

  updateWhere(
    resource: string,
    where: Where,
    value: Columns,
    options: SetOptions = {},
  ): Promise<SetResult> {
    return later(() =>
      this.#set(resource, where, options, (key) => ({ op: 'patch', resource, key, value })),
    );
  }

  deleteWhere(resource: string, where: Where, options: SetOptions = {}): Promise<SetResult> {
    return later(() =>
      this.#set(resource, where, options, (key) => ({ op: 'delete', resource, key })),
    );
  }

  #set(
    resource: string,
    where: Where,
    options: SetOptions,
    writeOf: (key: Key) => Write,
  ): SetResult {
    this.#enter(resource, { consistency: 'primary' });
    const rows = [...this.#rows].filter(([name]) => name.startsWith(`${resource} `));
    const keys = matchingKeys(rows, this.#withRows(resource).key, where);
    return setResultOf(resource, this.#apply(keys.map(writeOf), options));
  }

  invalidate(keys: readonly { resource: string; key: Key }[]): Promise<InvalidationResult[]> {
    return later(() =>
      keys.map(({ resource, key }) => {
        this.#enter(resource, { consistency: 'primary' });
        this.#writes += 1;
        this.#computed.delete(nameOf(resource, key));
        return { resource, key: shownKey(key), cache: 'invalidated' };
      }),
    );
  }

  async computed<K extends Key, Value>(
    resource: string,
    key: K,
    load: Loader<K, Value>,
    options: ComputedOptions = {},
  ): Promise<ComputedResult<Value>> {
    this.#enter(resource, options);
    if (this.#dependenciesOf(resource) === null)
      throw invalidArgument('resource', 'must be a computed one');
    const name = nameOf(resource, key);
    const kept = this.#computed.get(name);
    if (kept !== undefined) return { value: JSON.parse(kept.text) as Value, source: 'cache' };
    const writes = this.#writes;
    const { signal } = options;
    const value = await load(key, { signal: signal ?? new AbortController().signal });
    const text = JSON.stringify(value ?? null);
    if (writes === this.#writes) this.#computed.set(name, { resource, text });
    return { value: JSON.parse(text) as Value, source: 'loader' };
  }

  /** Null of a resource with rows. */
  #dependenciesOf(resource: string): readonly string[] | null {
    const found = this.#resources[resource];
    return found !== undefined && 'computedFrom' in found ? found.computedFrom : null;
  }

  lease(resource: string, key: Key, _options: LeaseOptions): Promise<Lease> {
    return later(() => {
      this.#enter(resource, { consistency: 'primary' });
      const name = nameOf(resource, key);
      if (this.#leases.get(name)?.held === true)
        throw new LockstepError('LOCK_TIMEOUT', 'The lock was not free in time.');
      this.#lastId += 1;
      const held = { held: true, lost: new AbortController() };
      this.#leases.set(name, held);
      return {
        ...{ id: `test-${this.#lastId}`, resource, fence: this.#lastId, signal: held.lost.signal },
        get isHeld() {
          return held.held;
        },
        release: () =>
          later(() => {
            if (held.lost.signal.aborted)
              throw new LockstepError('LEASE_LOST', 'It was lost before it was released.');
            held.held = false;
          }),
      };
    });
  }

  async withLease<T>(
    resource: string,
    key: Key,
    options: LeaseOptions,
    work: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    const lease = await this.lease(resource, key, options);
    try {
      const result = await work(lease);
      await lease.release();
      return result;
    } catch (error) {
      await lease.release().catch(() => undefined);
      throw error;
    }
  }

  /** The transaction itself is the test's: the double only counts up the versions of keys whose statement was asked for. */
  async guard<T>(
    keys: readonly (readonly [resource: string, key: Key])[],
    work: (guard: Guard) => Promise<T>,
    _options: GuardOptions = {},
  ): Promise<T> {
    const guard = await later(() => this.#guardOf(keys));
    try {
      const result = await work(guard.guard);
      if (this.#meets('lostGuard'))
        throw new LockstepError('GUARD_LOST', 'No transaction with its fences has committed.');
      for (const name of guard.called) this.#countUp(name);
      return result;
    } finally {
      for (const name of guard.names) this.#guards.delete(name);
    }
  }

  #guardOf(keys: readonly (readonly [resource: string, key: Key])[]) {
    const names = keys.map(([resource, key]) => {
      this.#enter(resource, { consistency: 'primary' });
      return nameOf(resource, key);
    });
    if (names.some((name) => this.#guards.has(name)))
      throw new LockstepError('LOCK_TIMEOUT', 'The lock was not free in time.');
    const guarded = keys.map(([resource, key], index): GuardedKey => {
      this.#guards.add(names[index] ?? '');
      this.#lastId += 1;
      const text = typeof key === 'object' ? key.map(String) : String(key);
      const version = this.#rows.get(names[index] ?? '')?.version ?? 0;
      return { resource, key: text, fence: this.#lastId, version };
    });
    const called = new Set<string>();
    const of = (resource: string, key: Key): GuardedKey => {
      const found = guarded[names.indexOf(nameOf(resource, key))];
      if (found !== undefined) return found;
      throw invalidArgument('key', `of ${resource} is not one that was guarded`);
    };
    const guard: Guard = {
      id: `test-${this.#lastId}`,
      keys: guarded,
      fence: (resource, key) => of(resource, key).fence,
      sql: (resource, key, placeholders = '?') => {
        called.add(nameOf(resource, key));
        return guardSql('pg', of(resource, key), placeholders);
      },
    };
    return { guard, names, called };
  }

  #countUp(name: string): void {
    const { version = 0, row = null } = this.#rows.get(name) ?? {};
    this.#rows.set(name, { version: version + 1, row });
  }

  ready(_options?: CallOptions): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #write(write: Write, options: WriteOptions): Promise<WriteResult> {
    return later(() => {
      const [result] = this.#apply([write], options);
      if (result === undefined) throw new TypeError('A write has one result.');
      return result;
    });
  }

  /** An insert gets the key that a database would make. */
  #withKey(operation: TransactionOperation): Write {
    if (operation.op !== 'insert') return operation;
    do this.#lastId += 1;
    while (this.#rows.has(nameOf(operation.resource, this.#lastId)));
    return { ...operation, key: this.#lastId };
  }

  /** All of them or none. */
  #apply(writes: readonly Write[], options: WriteOptions): WriteResult[] {
    for (const { resource } of writes) this.#enter(resource, { consistency: 'primary' });
    const { idempotencyKey } = options;
    const before = typeof idempotencyKey === 'string' && this.#outcomes.get(idempotencyKey);
    if (before) return structuredClone(before);
    if (this.#meets('lockTimeout'))
      throw new LockstepError('LOCK_TIMEOUT', 'The lock was not free in time.');
    const isUnknown = this.#meets('unknown');
    if (isUnknown && !this.#isUnknownApplied) throw unknownOutcome();
    const isPending = this.#meets('pending');
    const kept = new Map(this.#rows);
    let results: WriteResult[];
    try {
      results = writes.map((write) => this.#applyOne(write, { ...options, ...write }, isPending));
    } catch (error) {
      this.#rows.clear();
      for (const [name, stored] of kept) this.#rows.set(name, stored);
      throw error;
    }
    if (typeof idempotencyKey === 'string' && results.length > 0)
      this.#outcomes.set(idempotencyKey, results);
    if (isUnknown) throw unknownOutcome();
    return structuredClone(results);
  }

  #applyOne(write: Write, conditions: WriteOptions, isPending: boolean): WriteResult {
    const { op, resource, key } = write;
    const name = nameOf(resource, key);
    const { version, row } = this.#rows.get(name) ?? { version: 0, row: null };
    const { ifVersion, ifAbsent } = conditions;
    const isOther = ifVersion !== undefined && ifVersion !== version;
    if (isOther || (ifAbsent === true && row !== null))
      throw new LockstepError('VERSION_MISMATCH', `The row has version ${version}.`, {
        details: { currentVersion: version },
      });
    if (row === null && (op === 'patch' || op === 'delete'))
      throw new LockstepError('NOT_FOUND', `There is no such row in ${resource}.`);
    const next = op === 'delete' ? null : this.#nextRow(write, row);
    this.#rows.set(name, { version: version + 1, row: next });
    this.#invalidateComputed(resource);
    const { policy = 'strict' } = this.#withRows(resource);
    return {
      ...{ resource, key: shownKey(key), version: version + 1, value: next, outcome: 'applied' },
      ...{
        cache: isPending ? 'pending' : CACHE_AFTER_WRITE[policy],
        policy,
        fence: null,
        waitMs: 0,
      },
      created: row === null,
    };
  }

  #invalidateComputed(written: string): void {
    this.#writes += 1;
    for (const [name, { resource }] of this.#computed)
      if (this.#dependenciesOf(resource)?.includes(written) === true) this.#computed.delete(name);
  }

  #nextRow({ op, resource, key, ...rest }: Write, row: Row | null): Row {
    const { $inc, ...set } = ('value' in rest ? rest.value : {}) as Record<string, unknown>;
    const names = this.#withRows(resource).key;
    const parts: readonly unknown[] = typeof key === 'object' ? key : [key];
    const keys = Object.fromEntries(names.map((column, index) => [column, parts[index]]));
    const from = op === 'patch' ? row : null;
    const next = JSON.parse(JSON.stringify({ ...from, ...set, ...keys })) as Row;
    for (const [column, step] of Object.entries(($inc ?? {}) as Record<string, unknown>))
      next[column] = Number(next[column] ?? 0) + Number(step);
    return next;
  }

  /** @throws LockstepError `INVALID` where the resource is computed */
  #withRows(resource: string): TestResource {
    const found = this.#resources[resource];
    if (found !== undefined && 'key' in found) return found;
    throw invalidArgument('resource', 'is computed: it has no rows');
  }

  #meets(what: Switch): boolean {
    if (this.#left[what] <= 0) return false;
    this.#left[what] -= 1;
    return true;
  }

  /** @throws LockstepError where a call cannot begin */
  #enter(resource: string, { signal, consistency }: ReadOptions): void {
    if (this.#isClosed) throw new LockstepError('CLOSED', 'The client is closed.');
    if (signal?.aborted === true)
      throw new LockstepError('ABORTED', 'The caller gave it up.', { cause: signal.reason });
    if (this.#isAway && consistency === 'primary')
      throw new LockstepError('COORDINATOR_UNAVAILABLE', 'The coordinator does not answer.');
    if (!Object.hasOwn(this.#resources, resource))
      throw new LockstepError('UNKNOWN_RESOURCE', 'No resource of this name is configured.');
  }
}

const unknownOutcome = (): LockstepError =>
  new LockstepError('OUTCOME_UNKNOWN', 'The write was sent and no answer came.');

const shownKey = (key: Key): string | string[] =>
  typeof key === 'object' ? key.map(String) : String(key);

const nameOf = (resource: string, key: Key): string =>
  `${resource} ${JSON.stringify(typeof key === 'object' ? key.map(String) : [String(key)])}`;

/** What it throws rejects, as all calls of the client do. */
async function later<T>(make: () => T): Promise<T> {
  await Promise.resolve();
  return make();
}
