/**
 * The cache's atomic steps on a Redis or Valkey server.
 *
 * An entry of `format: entry` is a header and a body; each step on it is one script.
 *
 * An entry of `format: raw` is the row as plain JSON, which programs that know nothing of Lockstep also read and fill.
 * It is absent, or a value, perhaps another program's. Without leases and tombstones, a slow reader can put back an old
 * row after a delete, until its TTL ends, the second delete of `delayed-double-delete` comes, or an audit finds it. Raw
 * entries have no intents either, so `strict` cannot be raw.
 *
 * Entries of `format: opaque` are only ever deleted.
 */
import { decodeEntry, decodeRawEntry, jsonText, type Row } from '@lockstep/shared';
import {
  isLogPosition,
  LockstepError,
  type LogPosition,
  UNKNOWN_POSITION,
} from '../domain/index.ts';
import { isCluster, type RedisScript } from '../redis/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { invalidateEach } from './invalidate-each.ts';
import type {
  CoveringPosition,
  EntryStore,
  Intent,
  Invalidation,
  LeaseAttempt,
  PublishedValue,
  StoredEntry,
} from './port.ts';
import type { CacheConnection } from './redis-connection.ts';
import { RedisEntrySteps } from './redis-entry-steps.ts';
import { ReplicatedClusterSteps } from './replicated-cluster-steps.ts';
import { ReplicatedSteps } from './replicated-steps.ts';

export interface EntryStoreOptions {
  leaseTtlMs: number;
  tombstoneTtlMs: number;
  /**
   * Whether a cache key is an entry of a resource. Other keys (named by `invalidates` templates or by callers) belong
   * to readers that know nothing of entries, so an invalidation deletes them instead of leaving a tombstone.
   */
  isEntryKey: (cacheKey: string) => boolean;
  /**
   * Whether an invalidation of a cache key must change nothing, because Lockstep only watches what a service keeps there.
   * Absent: of none.
   */
  isLeftAlone?: (cacheKey: string) => boolean;
  /** Whether a cache key is an entry without a header (`format: raw` or `opaque`). Absent: none is. */
  isRaw?: (cacheKey: string) => boolean;
  /**
   * The owner in the header of a cache key's entry: CLUSTER/RESOURCE#COLUMNS, where COLUMNS is a digest. An entry with
   * another owner counts as missing, with two exceptions: an intent of the same cluster, and anything but a value of
   * the same resource. Absent, or '': no owner is written or compared.
   */
  ownerOf?: (cacheKey: string) => string;
  /** Called for each entry that was read and has another owner. */
  onForeign?: (cacheKey: string, owner: string) => void;
  /**
   * The present position of the database's log, for tombstones; null if it cannot be found out. Absent: tombstones have
   * no position.
   */
  position?: () => Promise<LogPosition | null>;
  /** How many replicas must have an intent before it counts as placed. Default 0: none is waited for. */
  waitReplicas?: number;
}

/** Rows and query answers are never answered past their TTL. */
const NO_GRACE = 0;

type Freshness = 'fresh' | 'invalidated';

const withoutColumns = (owner: string): string => owner.replace(/#[0-9a-f]+$/, '');

export class RedisEntryStore implements EntryStore {
  readonly #connection: CacheConnection;
  readonly #options: EntryStoreOptions;
  readonly #steps: RedisEntrySteps;
  readonly #isRaw: (cacheKey: string) => boolean;

  constructor(
    connection: CacheConnection,
    options: EntryStoreOptions,
    runtime: Pick<Runtime, 'clock' | 'timers'>,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#isRaw = options.isRaw ?? (() => false);
    this.#steps = new RedisEntrySteps({
      ...{ connection, ownerOf: options.ownerOf, timers: runtime.timers },
      replicated: replicatedSteps(connection, options.waitReplicas ?? 0, runtime),
    });
  }

  get available(): boolean {
    return this.#connection.up;
  }

  get availableSinceMs(): number {
    return this.#connection.upSinceMs;
  }

  async read(cacheKey: string): Promise<StoredEntry | null> {
    return this.#stored(cacheKey, await this.#text(cacheKey));
  }

  async readMany(cacheKeys: readonly string[]): Promise<(StoredEntry | null)[]> {
    const texts = await Promise.all(cacheKeys.map((cacheKey) => this.#text(cacheKey)));
    return texts.map((text, index) => this.#stored(cacheKeys[index] ?? '', text));
  }

  /** Leaves no lease at a raw entry: every reader that misses may fill. */
  async leaseOrRead(cacheKey: string, leaseId: string): Promise<LeaseAttempt> {
    if (this.#isRaw(cacheKey)) {
      const stored = await this.read(cacheKey);
      if (stored?.entry.state === 'value') return { state: 'found', stored };
      return { state: 'leased', leastVersion: 0 };
    }
    const reply = await this.#steps.run(this.#connection.steps.leaseOrRead, cacheKey, [
      leaseId,
      this.#options.leaseTtlMs,
    ]);
    if (!Array.isArray(reply)) throw unexpected('lease-or-read', reply);
    const [state, detail, after] = reply as unknown[];
    if (state === 'found') return { state, stored: storedText(String(detail)) };
    if (state === 'leased' || state === 'busy') {
      const leastVersion = Number(detail);
      if (this.#options.position === undefined || after === '') return { state, leastVersion };
      const isPosition = typeof after === 'string' && isLogPosition(after);
      return { state, leastVersion, after: isPosition ? after : UNKNOWN_POSITION };
    }
    throw unexpected('lease-or-read', reply);
  }

  /** The absence of a row is not cached in a raw entry: it is unknown what other programs make of `null`. */
  async fill(
    cacheKey: string,
    leaseId: string,
    value: PublishedValue,
  ): Promise<'filled' | 'refused'> {
    const { version, row, ttlMs, reached = '', upTo = '', tag = '' } = value;
    if (this.#isRaw(cacheKey)) {
      if (row === null) return 'refused';
      await this.#connection.run((client) => client.set(cacheKey, body(row), 'PX', ttlMs));
      return 'filled';
    }
    const args = [leaseId, version, ttlMs, body(row), reached, upTo, tag, NO_GRACE];
    return (await this.#steps.run(this.#connection.steps.fill, cacheKey, args)) === 1
      ? 'filled'
      : 'refused';
  }

  async placeIntent(
    cacheKey: string,
    intentId: string,
    aboveFence: number,
    fences = 1,
  ): Promise<Intent> {
    if (this.#isRaw(cacheKey))
      throw new LockstepError('INTERNAL', 'A raw entry has no write intent.');
    const args = [intentId, aboveFence, fences];
    const fence = await this.#steps.run(this.#connection.steps.placeIntent, cacheKey, args);
    if (typeof fence !== 'number' || !Number.isSafeInteger(fence))
      throw unexpected('place-intent', fence);
    return { intentId, fence };
  }

  async publish(
    cacheKey: string,
    { intentId, fence }: Intent,
    version: number,
    value: PublishedValue | null,
  ): Promise<Freshness> {
    const { tombstoneTtlMs } = this.#options;
    const what =
      value === null ? ['tombstone', 0, 'null'] : ['value', value.ttlMs, body(value.row)];
    return freshness(
      await this.#steps.run(this.#connection.steps.publish, cacheKey, [
        intentId,
        fence,
        version,
        ...what,
        tombstoneTtlMs,
        value?.tag ?? '',
      ]),
    );
  }

  async withdrawIntent(
    cacheKey: string,
    { intentId, fence }: Intent,
    version: number,
  ): Promise<void> {
    const args = [intentId, fence, version, this.#options.tombstoneTtlMs];
    await this.#steps.run(this.#connection.steps.withdrawIntent, cacheKey, args);
  }

  async intentAgeMs(cacheKey: string, { intentId, fence }: Intent): Promise<number | null> {
    const args = [intentId, fence];
    const ageMs = Number(await this.#steps.run(this.#connection.steps.intentAge, cacheKey, args));
    return ageMs < 0 ? null : ageMs;
  }

  invalidate(
    cacheKey: string,
    version: number | null,
    position?: CoveringPosition,
  ): Promise<Freshness> {
    return this.#invalidate({ cacheKey, version, ...(position === undefined ? {} : { position }) });
  }

  async #invalidate({ cacheKey, version, position, isEntry }: Invalidation): Promise<Freshness> {
    if (this.#options.isLeftAlone?.(cacheKey) === true) return 'invalidated';
    if (this.#isRaw(cacheKey)) {
      await this.#connection.run((client) => client.unlink(cacheKey));
      return 'invalidated';
    }
    const at = this.#covering(position);
    const args = [
      version ?? '',
      this.#options.tombstoneTtlMs,
      typeof at === 'string' ? at : await at,
      isEntry === true || this.#options.isEntryKey(cacheKey) ? '' : 'bare',
    ];
    return freshness(await this.#steps.run(this.#connection.steps.invalidate, cacheKey, args));
  }

  invalidateMany(items: readonly Invalidation[]): Promise<(Freshness | Error)[]> {
    return invalidateEach(items, (item) => this.#invalidate(item));
  }

  async invalidateIfUnchanged(
    cacheKey: string,
    text: string,
    position?: CoveringPosition,
  ): Promise<boolean> {
    if (this.#options.isLeftAlone?.(cacheKey) === true) return false;
    if (this.#isRaw(cacheKey))
      return (
        (await this.#steps.run(this.#connection.steps.unlinkIfUnchanged, cacheKey, [text])) === 1
      );
    const at = this.#covering(position);
    const args = [text, this.#options.tombstoneTtlMs, typeof at === 'string' ? at : await at];
    return (
      (await this.#steps.run(this.#connection.steps.invalidateIfUnchanged, cacheKey, args)) === 1
    );
  }

  async ttlMs(cacheKey: string): Promise<number | null | undefined> {
    const ttlMs = await this.#connection.run((client) => client.pttl(cacheKey));
    if (ttlMs === -2) return undefined;
    return ttlMs === -1 ? null : ttlMs;
  }

  /** The text at an entry's key, of either format; null if nothing is cached. */
  async #text(cacheKey: string): Promise<string | null> {
    try {
      // GETEX without an option only reads, but unlike GET a replica refuses it.
      return await this.#connection.run((client) => client.getex(cacheKey));
    } catch (error) {
      // A list or hash under an entry's key reads as a corrupt entry; the next step on it replaces it.
      if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return '';
      throw error;
    }
  }

  /** Null also if the entry has another owner. */
  #stored(cacheKey: string, text: string | null): StoredEntry | null {
    if (text === null) return null;
    if (this.#isRaw(cacheKey)) return storedRaw(text);
    const found = storedText(text);
    const { owner } = found.entry.state === 'corrupt' ? {} : found.entry;
    if (owner === undefined) return found;
    const own = this.#options.ownerOf?.(cacheKey) ?? '';
    if (own === '' || own === owner) return found;
    const cluster = own.slice(0, own.indexOf('/') + 1);
    if (found.entry.state === 'intent' && owner.startsWith(cluster)) return found;
    const isOfResource = withoutColumns(owner) === withoutColumns(own);
    if (isOfResource) return found.entry.state === 'value' ? null : found;
    this.#options.onForeign?.(cacheKey, owner);
    return null;
  }

  /**
   * As the scripts take it, with '' for unknown. Not a promise if nothing has to be asked, so that steps keep their
   * order.
   */
  #covering(position: CoveringPosition): string | Promise<string> {
    const { position: ask } = this.#options;
    if (position !== undefined || ask === undefined) return position ?? '';
    return ask().then((asked) => asked ?? '');
  }
}

/** An intent is the one step that strict writes rest on: a lost publish leaves the intent, and a lost tombstone a miss. */
function replicatedSteps(
  connection: CacheConnection,
  replicas: number,
  runtime: Pick<Runtime, 'clock' | 'timers'>,
): ReadonlyMap<RedisScript, Pick<ReplicatedSteps, 'run'>> {
  if (replicas === 0) return new Map();
  const timeoutMs = connection.commandTimeoutMs;
  const { client } = connection;
  const { placeIntent } = connection.steps;
  if (isCluster(client)) {
    const ofCluster = new ReplicatedClusterSteps(placeIntent, {
      ...{ replicas, timeoutMs, runtime, cluster: client },
      connect: (name) => connection.openMember(name, timeoutMs),
    });
    return new Map([[placeIntent, ofCluster]]);
  }
  const steps = new ReplicatedSteps(placeIntent, {
    ...{ replicas, timeoutMs, runtime },
    connect: () => connection.openBeside(timeoutMs),
  });
  return new Map([[placeIntent, steps]]);
}

const storedText = (text: string): StoredEntry => ({ entry: decodeEntry(text), text });

function storedRaw(text: string): StoredEntry {
  const entry = decodeRawEntry(text);
  if (entry.state === 'corrupt') return { entry, text, isRaw: true };
  return { entry: { ...entry, version: 0, fence: 0, writtenAtMs: 0 }, text, isRaw: true };
}

const body = (row: Row | null): string => jsonText(row);

function freshness(reply: unknown): Freshness {
  if (reply === 'fresh' || reply === 'invalidated') return reply;
  throw unexpected('publish', reply);
}

function unexpected(step: string, reply: unknown): LockstepError {
  return new LockstepError('INTERNAL', `The cache script ${step} answered something unexpected.`, {
    cause: reply,
  });
}
