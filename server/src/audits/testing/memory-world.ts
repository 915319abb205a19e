import { decodeEntry, encodeEntry, type Row } from '@lockstep/shared';
import type { StoredEntry } from '../../cache/port.ts';
import type { VersionedRow } from '../../database/port.ts';
import {
  keyFromText,
  LockstepError,
  type Key,
  type Resource,
  type TelemetryEvent,
} from '../../domain/index.ts';
import { resource as testResource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Leadership } from '../../jobs/index.ts';
import { MemoryLeadershipStore } from '@lockstep/testkit/doubles/memory-leadership-store';
import { Audits, type AuditsOptions } from '../service.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const AUDIT = {
  when: { everyMs: 60_000 },
  sample: 100,
  graceMs: 2_000,
  repair: 'refresh',
} as const;

export const rowOf = (id: number, balance = '5'): Row => ({ id, owner: 'ann', balance });

/** A cache and a table in memory, with the audits over them. */
export class MemoryWorld {
  readonly runtime = manualRuntime();
  readonly store = new MemoryAuditStore(this.runtime.clock);
  readonly leaders = new MemoryLeadershipStore(this.runtime.clock);
  readonly resource: Resource;
  readonly audits: Audits;
  readonly rows = new Map<string, { version: number; row: Row }>();
  readonly cached = new Map<string, { text: string; ttlMs: number | null }>();
  readonly events: TelemetryEvent[] = [];
  /** What repairs have called. */
  readonly calls: string[] = [];
  readonly hot: string[] = [];
  readonly state = { cacheAway: false, databaseAway: false, recoveryFails: false };
  /** Called on each read of the cache, before it is answered: the place for a concurrent writer. */
  beforeRead: (read: number) => void = () => undefined;
  #reads = 0;

  constructor(rest: Partial<Resource> = {}) {
    this.resource = testResource({ policy: 'delete-after-write', audit: AUDIT, ...rest });
    this.audits = this.another();
  }

  /** Another instance's audits over the same cache, table and store. */
  another(): Audits {
    return new Audits({
      store: this.store,
      leadership: new Leadership(this.leaders, this.runtime),
      runtime: this.runtime,
      entries: this.#entries(),
      scanner: {
        sample: (_, count) => this.#fromCache(() => [...this.cached.keys()].slice(0, count)),
      },
      rows: this.#rowStore(),
      reads: {
        read: (key) =>
          this.#fromDatabase(() => {
            this.calls.push(`read ${key.text}`);
            this.#refill(key);
            return { ...this.#current(key), source: 'primary' };
          }),
      },
      recovery: this.#recovery(),
      resources: new Map([[this.resource.name, this.resource]]),
      hotKeys: (of) => this.hot.map((text) => keyFromText(of, text)),
      telemetry: { emit: (event) => this.events.push(event) },
    });
  }

  /** A row, and its value in the cache. */
  put(id: number, version = 1): void {
    this.rows.set(String(id), { version, row: rowOf(id) });
    this.cacheValue(id, version, rowOf(id));
  }

  cacheValue(id: number, version: number, row: Row | null, ttlMs: number | null = 60_000): void {
    const writtenAtMs = this.runtime.clock.wallMs();
    const text = encodeEntry({ state: 'value', version, fence: 0, writtenAtMs, row });
    this.cached.set(`account:${id}`, { text, ttlMs });
  }

  cacheIntent(id: number): void {
    const writtenAtMs = this.runtime.clock.wallMs();
    const head = { version: 1, fence: 9, writtenAtMs, intentId: 'a', marked: false };
    const text = encodeEntry({ state: 'intent', ...head });
    this.cached.set(`account:${id}`, { text, ttlMs: null });
  }

  #entries(): AuditsOptions['entries'] {
    return {
      readMany: (keys) =>
        this.#fromCache(() => {
          this.beforeRead((this.#reads += 1));
          return keys.map((cacheKey) => this.#stored(cacheKey));
        }),
      ttlMs: (cacheKey) => this.#fromCache(() => this.cached.get(cacheKey)?.ttlMs),
      invalidateIfUnchanged: (cacheKey, text) =>
        this.#fromCache(() => {
          this.calls.push(`invalidate ${cacheKey}`);
          const isSame = this.cached.get(cacheKey)?.text === text;
          if (isSame) this.cached.delete(cacheKey);
          return isSame;
        }),
    };
  }

  #rowStore(): AuditsOptions['rows'] {
    return {
      readMany: (_, keys) => this.#fromDatabase(() => keys.map((key) => this.#current(key))),
      sampleKeys: (of, count) =>
        this.#fromDatabase(() =>
          [...this.rows.keys()].slice(0, count).map((text) => keyFromText(of, text)),
        ),
      recentKeys: () => this.#fromDatabase(() => []),
    };
  }

  #recovery(): AuditsOptions['recovery'] {
    return {
      recover: (key, by, leave = 'value') => {
        this.calls.push(`recover ${key.text} ${by} ${leave}`);
        if (this.state.recoveryFails) {
          return Promise.reject(new LockstepError('LOCK_TIMEOUT', 'The lock was not free.'));
        }
        if (leave === 'value') this.#refill(key);
        else this.cached.delete(key.cacheKey);
        return Promise.resolve({ version: this.#current(key).version });
      },
    };
  }

  #stored(cacheKey: string): StoredEntry | null {
    const text = this.cached.get(cacheKey)?.text;
    return text === undefined ? null : { entry: decodeEntry(text), text };
  }

  #current(key: Key): VersionedRow {
    const found = this.rows.get(key.text);
    return { version: found?.version ?? 0, fence: 0, row: found?.row ?? null };
  }

  #refill(key: Key): void {
    const { version, row } = this.#current(key);
    this.cacheValue(Number(key.text), version, row);
  }

  async #fromCache<T>(value: () => T): Promise<T> {
    await Promise.resolve();
    if (this.state.cacheAway) {
      throw new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.');
    }
    return value();
  }

  async #fromDatabase<T>(value: () => T): Promise<T> {
    await Promise.resolve();
    if (this.state.databaseAway) {
      throw new LockstepError('DATABASE_UNAVAILABLE', 'The database does not answer.');
    }
    return value();
  }
}
