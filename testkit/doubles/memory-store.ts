import type { CacheOutcome, Row } from '@lockstep/shared';
import {
  type Key,
  LockstepError,
  makeKey,
  type NewKeys,
  type NewKeysRequest,
  type SetReceipt,
  type SetRequest,
  type TransactionRequest,
  type WriteReceipt,
  type WriteRequest,
} from '../../server/src/domain/index.ts';
import type { ReadAnswer, ReadOptions, ReadService } from '../../server/src/reads/port.ts';
import type { WriteService } from '../../server/src/writes/port.ts';

/** Rows with versions in memory, standing in for the engine. */
export class MemoryStore implements WriteService, ReadService {
  readonly rows = new Map<string, { version: number; row: Row | null }>();
  /** The last key that it made. */
  #made = 100;
  readonly requests: WriteRequest[] = [];
  readonly sets: SetRequest[] = [];
  readonly invalidated: string[] = [];
  readonly readOptions: (ReadOptions | undefined)[] = [];
  /** What every write does first. */
  before: (request: WriteRequest) => Promise<void> = () => Promise.resolve();

  async write(request: WriteRequest): Promise<WriteReceipt> {
    this.requests.push(request);
    await this.before(request);
    const { key, change, ifMatch } = request;
    const current = this.rows.get(key.lockKey) ?? { version: 0, row: null };
    if (ifMatch !== undefined && ifMatch !== current.version) throw mismatch(current.version);
    if (change.op === 'put' && change.onlyCreate && current.row !== null)
      throw mismatch(current.version);
    if (change.op !== 'put' && current.row === null)
      throw new LockstepError('NOT_FOUND', 'There is no such row.');
    const version = current.version + 1;
    const value =
      change.op === 'delete'
        ? null
        : this.#after(key, change.op === 'put' ? {} : (current.row ?? {}), change);
    this.rows.set(key.lockKey, { version, row: value });
    return {
      key,
      created: change.op === 'put' && current.row === null,
      version,
      value,
      outcome: 'applied',
      cache: 'fresh',
      policy: key.resource.policy,
      fence: 7,
      waitMs: 0.12345,
      replayed: false,
    };
  }

  newKeys({ rows }: NewKeysRequest): Promise<NewKeys> {
    const keys = rows.map(({ resource, parts }) => {
      const texts = resource.keyColumns.map(({ name }) => parts[name] ?? String(++this.#made));
      return makeKey(resource, texts);
    });
    return Promise.resolve({ keys, areRepeated: false });
  }

  async transact({ writes }: TransactionRequest): Promise<WriteReceipt[]> {
    const receipts: WriteReceipt[] = [];
    for (const write of writes) receipts.push(await this.write(write));
    return receipts;
  }

  /** Finds no row: nothing here evaluates a filter. */
  writeSet(request: SetRequest): Promise<SetReceipt> {
    this.sets.push(request);
    return Promise.resolve({ receipts: [], replayed: false });
  }

  invalidate(keys: readonly Key[], cacheKeys: readonly string[]): Promise<CacheOutcome[]> {
    const all = [...keys.map((key) => key.cacheKey), ...cacheKeys];
    this.invalidated.push(...all);
    return Promise.resolve(all.map(() => 'invalidated'));
  }

  read(key: Key, options?: ReadOptions): Promise<ReadAnswer> {
    this.readOptions.push(options);
    const { version, row } = this.rows.get(key.lockKey) ?? { version: 0, row: null };
    return Promise.resolve({ version, row, source: 'cache' });
  }

  #after(key: Key, before: Row, change: Exclude<WriteRequest['change'], { op: 'delete' }>): Row {
    const parts = key.resource.keyColumns.map(({ name }, index) => [name, key.parts[index] ?? '']);
    const row: Row = { ...(Object.fromEntries(parts) as Row), ...before, ...change.set };
    const increments = change.op === 'patch' ? Object.entries(change.increment) : [];
    for (const [column, step] of increments) row[column] = Number(row[column] ?? 0) + Number(step);
    return row;
  }
}

function mismatch(currentVersion: number): LockstepError {
  return new LockstepError('VERSION_MISMATCH', `The key has version ${currentVersion}.`, {
    details: { currentVersion },
  });
}
