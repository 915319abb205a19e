/**
 * Keys that a coordinator holds for a transaction of the caller's own.
 *
 * States: held -> told (committed or rolled back). What cannot be told, the coordinator finds out by itself.
 *   - a transaction that has committed is never answered as failed because telling it failed: the coordinator hides the
 *     keys until it, or a recovery, knows
 */
import { isJsonObject, type JsonObject, type JsonValue } from '@lockstep/shared/for-clients';
import { invalidArgument, LockstepError } from './errors.ts';
import { tell } from './events.ts';
import { keyText } from './json.ts';
import type {
  CallOptions,
  Guard,
  GuardedKey,
  GuardOptions,
  Key,
  Placeholders,
  SqlStatement,
} from './types.ts';
import { type Dialect, guardSql } from './statements.ts';
import type { SingleRequest, Writes } from './writes.ts';

const DEFAULT_TTL_MS = 10_000;

export type AskedKey = readonly [resource: string, key: Key];

/** Runs `work` under guards on the keys. See `Client.guard`. */
export async function guarded<T>(
  writes: Writes,
  keys: readonly AskedKey[],
  work: (guard: Guard) => Promise<T>,
  options: GuardOptions,
): Promise<T> {
  const calls = new GuardCalls(writes, keys, options);
  const guard = await calls.take();
  let result: T;
  try {
    result = await work(guard);
  } catch (error) {
    throw await calls.rollback(guard.id, error);
  }
  await calls.commit(guard.id);
  return result;
}

/** What a guard asks of the coordinator. */
class GuardCalls {
  readonly #writes: Writes;
  readonly #keys: readonly AskedKey[];
  readonly #options: GuardOptions;
  readonly #resource: string;

  constructor(writes: Writes, keys: readonly AskedKey[], options: GuardOptions) {
    this.#writes = writes;
    this.#keys = keys;
    this.#options = options;
    this.#resource = [...new Set(keys.map(([resource]) => resource))].join();
  }

  async take(): Promise<TakenGuard> {
    const { ttlMs = DEFAULT_TTL_MS, waitMs } = this.#options;
    const texts = this.#keys.map(
      ([resource, key]) => `{"resource":${JSON.stringify(resource)},"key":${keyText(key)}}`,
    );
    const answer = await this.#call(
      {
        // One that is not answered ends with its TTL, and is not asked for twice.
        ...{ op: 'guard', path: '/v1/guards', isRepeatable: false },
        body: `{"keys":[${texts.join()}],"ttl":${JSON.stringify(ttlMs)}}`,
        headers: waitMs === undefined ? {} : { 'lockstep-timeout': String(waitMs) },
        // Its caller has said how long to wait.
        isRetried: ({ code }) => code !== 'LOCK_TIMEOUT',
      },
      this.#options,
    );
    const guard = new TakenGuard(answer, this.#keys);
    tell('lockstep:guard', { state: 'held', resource: this.#resource, id: guard.id });
    return guard;
  }

  /** @throws LockstepError `GUARD_LOST` where no transaction that called `lockstep_guard` has committed */
  async commit(id: string): Promise<void> {
    const untold = await this.#tell(id, 'commit');
    if (untold === null || untold.outcome === 'applied') return;
    if (['GUARD_LOST', 'UNKNOWN_GUARD'].includes(untold.code)) throw untold;
    // It has committed, or `work` would have failed. Its keys stay hidden until the guard's time is over.
    tell('lockstep:guard', { state: 'untold', resource: this.#resource, id });
  }

  /** @returns what the caller of `guarded` is told: what `work` failed with, unless its transaction has committed */
  async rollback(id: string, cause: unknown): Promise<unknown> {
    const untold = await this.#tell(id, 'rollback');
    if (untold?.code !== 'GUARD_LOST' || untold.outcome !== 'applied') return cause;
    const { code, message, status, outcome, details } = untold;
    return new LockstepError(code, message, { status, outcome, details, cause });
  }

  /** @returns why it could not be told; null where it was */
  async #tell(id: string, what: 'commit' | 'rollback'): Promise<LockstepError | null> {
    let isRepeat = false;
    const path = `/v1/guards/${encodeURIComponent(id)}/${what}`;
    const isRetried = (): boolean => (isRepeat = true);
    try {
      // What the caller gave up is told all the same: its signal is not listened to.
      const { timeoutMs } = this.#options;
      const bound = timeoutMs === undefined ? {} : { timeoutMs };
      const request = { op: what, path, isRepeatable: true, isRetried, isConclusive } as const;
      await this.#call(request, bound);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      // The answer to an earlier attempt was lost.
      if (!(isRepeat && error.code === 'UNKNOWN_GUARD')) return error;
    }
    const state = what === 'commit' ? 'committed' : 'rolled-back';
    tell('lockstep:guard', { state, resource: this.#resource, id });
    return null;
  }

  #call(
    request: Pick<SingleRequest, 'op' | 'path' | 'isRepeatable'> & Partial<SingleRequest>,
    options: CallOptions,
  ): Promise<JsonObject> {
    const named = { resource: this.#resource, isWrite: true, method: 'POST' } as const;
    return this.#writes.single({ ...named, ...request }, options);
  }
}

/** The coordinator asks the database before it says so, and then no transaction of the guard can commit any more. */
const isConclusive = ({ code }: LockstepError): boolean =>
  code === 'GUARD_LOST' || code === 'UNKNOWN_GUARD';

class TakenGuard implements Guard {
  readonly id: string;
  readonly keys: readonly GuardedKey[];
  readonly #dialect: Dialect;
  /** By resource and key, as the caller spelled it and as the coordinator answered it. */
  readonly #byKey = new Map<string, GuardedKey>();

  constructor(answer: JsonObject, asked: readonly AskedKey[]) {
    this.id = String(answer['id']);
    this.#dialect = answer['database'] === 'mysql2' ? 'mysql2' : 'pg';
    const keys = Array.isArray(answer['keys']) ? answer['keys'] : [];
    this.keys = keys.flatMap((each) => (isJsonObject(each) ? [guardedKey(each)] : []));
    for (const [index, guardedOne] of this.keys.entries()) {
      const [resource, key] = asked[index] ?? [guardedOne.resource, guardedOne.key];
      this.#byKey.set(nameOf(resource, key), guardedOne);
      this.#byKey.set(nameOf(guardedOne.resource, guardedOne.key), guardedOne);
    }
  }

  fence(resource: string, key: Key): number {
    return this.#of(resource, key).fence;
  }

  sql(resource: string, key: Key, placeholders: Placeholders = '?'): SqlStatement {
    return guardSql(this.#dialect, this.#of(resource, key), placeholders);
  }

  #of(resource: string, key: Key): GuardedKey {
    const found = this.#byKey.get(nameOf(resource, key));
    if (found === undefined)
      throw invalidArgument('key', `of ${resource} is not one that was guarded`);
    return found;
  }
}

const guardedKey = ({ resource, key, fence, version }: JsonObject): GuardedKey => ({
  resource: String(resource),
  key: partsOf(key),
  fence: Number(fence),
  version: Number(version),
});

const partsOf = (key: JsonValue | undefined): string | string[] =>
  Array.isArray(key) ? key.map(String) : String(key);

/** Numbers and their texts name the same key. */
const nameOf = (resource: string, key: Key): string =>
  JSON.stringify([resource, ...(typeof key === 'object' ? key : [key]).map(String)]);
