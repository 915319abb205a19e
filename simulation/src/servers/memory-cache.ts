/**
 * The cache in memory: a map of texts with expiry and one clock. Each atomic step of the entry protocol makes the same
 * decisions as the script of its name (`server/src/cache/scripts`); both pass the same conformance suite.
 */
import {
  decodeEntry,
  encodeEntry,
  type CorruptEntry,
  type Entry,
  type IntentEntry,
} from '@lockstep/shared';
import type {
  Intent,
  LeaseAttempt,
  PublishedValue,
  StoredEntry,
} from '../../../server/src/cache/port.ts';
import { Replication } from './replication.ts';

export interface MemoryCacheOptions {
  leaseTtlMs: number;
  tombstoneTtlMs: number;
  isEntryKey: (cacheKey: string) => boolean;
  /** What the header of an entry says of whose it is; absent: nothing. */
  ownerOf?: (cacheKey: string) => string | undefined;
  /** The server's own wall clock, in ms. */
  wallMs: () => number;
  /** Tells the readers of an invalidation stream, in the step that invalidates. */
  tell?: (cacheKey: string) => void;
  /** A replica follows, and can take the server's place. Default false. */
  isReplicated?: boolean;
}

type Held = Entry | CorruptEntry;
type Freshness = 'fresh' | 'invalidated';

interface Stored {
  held: Held;
  /** Null: the text that the codec would write. */
  text: string | null;
  expiresAtMs: number | null;
}

const NOTHING = { version: 0, fence: 0 };

export class MemoryCache {
  /** Called after each change of a key. */
  onChange: (cacheKey: string) => void = () => {};
  readonly #options: MemoryCacheOptions;
  #stored = new Map<string, Stored>();
  readonly #replication: Replication<Stored> | null;

  constructor(options: MemoryCacheOptions) {
    this.#options = options;
    this.#replication = options.isReplicated === true ? new Replication() : null;
  }

  /** How many times a replica has taken the server's place. */
  get epoch(): number {
    return this.#replication?.epoch ?? 0;
  }

  /** The replica has everything from now on, as where `WAIT` has answered. */
  catchUp(): void {
    this.#replication?.catchUp();
  }

  /** See `Replication.failOver`. */
  failOver(share: number): void {
    const found = this.#replication?.failOver(share);
    if (found === undefined) return;
    this.#stored = new Map(found.state);
    for (const cacheKey of found.keys) this.onChange(cacheKey);
  }

  read(cacheKey: string): StoredEntry | null {
    const stored = this.#load(cacheKey);
    return stored === null ? null : { entry: stored.held, text: textOf(stored) };
  }

  leaseOrRead(cacheKey: string, leaseId: string, ttlMs = this.#options.leaseTtlMs): LeaseAttempt {
    const stored = this.#load(cacheKey);
    const held = stored?.held;
    if (stored !== null && (held?.state === 'value' || held?.state === 'intent')) {
      return { state: 'found', stored: { entry: held, text: textOf(stored) } };
    }
    const { version, fence } = seen(held);
    if (held?.state === 'lease') return { state: 'busy', leastVersion: version };
    const lease = { state: 'lease' as const, version, fence, leaseId };
    this.#put(cacheKey, lease, ttlMs);
    return { state: 'leased', leastVersion: version };
  }

  fill(
    cacheKey: string,
    leaseId: string,
    { version, row, ttlMs, graceMs = 0 }: PublishedValue & { graceMs?: number },
  ): boolean {
    const held = this.#load(cacheKey)?.held;
    if (held === undefined || leaseIn(held) !== leaseId) return false;
    const { version: least, fence } = seen(held);
    if (version < least) return false;
    this.#put(cacheKey, { state: 'value', version, fence, row, ...graced(graceMs) }, ttlMs);
    return true;
  }

  /** A lease in a value that has at most `dueMs` left, or is past its TTL. */
  leaseRefresh(
    cacheKey: string,
    leaseId: string,
    leaseMs: number,
    dueMs: number,
  ): 'leased' | 'busy' | 'changed' {
    const held = this.#load(cacheKey)?.held;
    const leftMs = this.ttlMs(cacheKey) ?? -1;
    if (held?.state !== 'value') return 'changed';
    const { version, fence, row, graceMs = 0, refresh, writtenAtMs } = held;
    if (leftMs < 0 || leftMs - graceMs > dueMs) return 'changed';
    const nowMs = this.#nowMs();
    if (refresh !== undefined && refresh.untilMs > nowMs) return 'busy';
    const lifeMs = Math.max(leftMs, leaseMs);
    const leased = { leaseId, untilMs: nowMs + leaseMs };
    const value = { state: 'value' as const, version, fence, row, refresh: leased };
    const grace = graced(graceMs + lifeMs - leftMs);
    this.#put(cacheKey, { ...value, ...grace }, lifeMs, writtenAtMs);
    return 'leased';
  }

  /** A loader failed: its lease goes. */
  dropLease(cacheKey: string, leaseId: string): boolean {
    const held = this.#load(cacheKey)?.held;
    if (held === undefined || leaseIn(held) !== leaseId) return false;
    if (held.state !== 'value') {
      this.#remove(cacheKey);
      return true;
    }
    const { refresh: _, writtenAtMs, ...value } = held;
    this.#put(cacheKey, value, this.ttlMs(cacheKey) ?? null, writtenAtMs);
    return true;
  }

  placeIntent(cacheKey: string, intentId: string, aboveFence: number, fences = 1): Intent {
    const { version, fence: seenFence } = seen(this.#load(cacheKey)?.held);
    const nowMicros = Math.floor(this.#options.wallMs() * 1000);
    const fence = Math.max(Math.max(aboveFence, seenFence) + fences, nowMicros);
    this.#put(cacheKey, { state: 'intent', version, fence, intentId, marked: false }, null);
    return { intentId, fence };
  }

  publish(
    cacheKey: string,
    intent: Intent,
    version: number,
    value: PublishedValue | null,
  ): Freshness {
    const { fence } = intent;
    const held = this.#load(cacheKey)?.held;
    if (held?.state === 'intent') {
      if (!isIntent(held, intent)) return 'invalidated';
      if (value === null || held.marked) return this.#leaveTombstone(cacheKey, version, fence);
      this.#put(cacheKey, { state: 'value', version, fence, row: value.row }, value.ttlMs);
      return 'fresh';
    }
    if ((held?.state === 'value' || held?.state === 'tombstone') && held.version >= version) {
      return held.state === 'value' ? 'fresh' : 'invalidated';
    }
    return this.#leaveTombstone(cacheKey, version, Math.max(fence, seen(held).fence));
  }

  withdrawIntent(cacheKey: string, intent: Intent, version: number): void {
    const held = this.#load(cacheKey)?.held;
    if (!isIntent(held, intent)) return;
    this.#leaveTombstone(cacheKey, Math.max(held.version, version), held.fence);
  }

  /** -1 if it is not there. */
  intentAgeMs(cacheKey: string, intent: Intent): number {
    const held = this.#load(cacheKey)?.held;
    if (!isIntent(held, intent)) return -1;
    return Math.max(0, this.#nowMs() - held.writtenAtMs);
  }

  invalidate(cacheKey: string, version: number | null): Freshness {
    this.#options.tell?.(cacheKey);
    if (!this.#options.isEntryKey(cacheKey)) {
      this.#remove(cacheKey);
      return 'invalidated';
    }
    const stored = this.#load(cacheKey);
    const held = stored?.held;
    if (stored !== null && held?.state === 'intent') {
      const marked = { ...held, version: Math.max(held.version, version ?? 0), marked: true };
      this.#set(cacheKey, { ...stored, held: marked, text: null });
      return 'invalidated';
    }
    if (held?.state === 'value' && version !== null && held.version >= version) return 'fresh';
    const before = seen(held);
    return this.#leaveTombstone(cacheKey, Math.max(before.version, version ?? 0), before.fence);
  }

  invalidateIfUnchanged(cacheKey: string, text: string): boolean {
    this.#options.tell?.(cacheKey);
    const stored = this.#load(cacheKey);
    if (stored === null || textOf(stored) !== text || stored.held.state === 'intent') return false;
    const { version, fence } = seen(stored.held);
    this.#leaveTombstone(cacheKey, version, fence);
    return true;
  }

  /** Null: no expiry. Undefined: there is nothing. */
  ttlMs(cacheKey: string): number | null | undefined {
    const expiresAtMs = this.#load(cacheKey)?.expiresAtMs;
    if (expiresAtMs === undefined || expiresAtMs === null) return expiresAtMs;
    return Math.max(0, Math.round(expiresAtMs - this.#options.wallMs()));
  }

  /** Every key that is there. */
  keys(): string[] {
    return [...this.#stored.keys()].filter((cacheKey) => this.#load(cacheKey) !== null);
  }

  get(cacheKey: string): string | null {
    const stored = this.#load(cacheKey);
    return stored === null ? null : textOf(stored);
  }

  set(cacheKey: string, text: string, ttlMs: number | null): void {
    const expiresAtMs = ttlMs === null ? null : this.#options.wallMs() + ttlMs;
    this.#set(cacheKey, { held: decodeEntry(text), text, expiresAtMs });
  }

  expire(cacheKey: string, ttlMs: number): void {
    const stored = this.#load(cacheKey);
    if (stored === null) return;
    const changed = { ...stored, expiresAtMs: this.#options.wallMs() + ttlMs };
    this.#stored.set(cacheKey, changed);
    this.#replication?.changed(cacheKey, changed);
  }

  /** Loses the key, whatever its entry. */
  lose(cacheKey: string): void {
    this.#remove(cacheKey);
  }

  /** Loses the key if it may be evicted: a key without expiry may not (assumption A3). */
  evict(cacheKey: string): void {
    if (this.#load(cacheKey)?.expiresAtMs !== null) this.#remove(cacheKey);
  }

  #load(cacheKey: string): Stored | null {
    const stored = this.#stored.get(cacheKey);
    if (stored === undefined) return null;
    if (stored.expiresAtMs === null || stored.expiresAtMs > this.#options.wallMs()) return stored;
    this.#stored.delete(cacheKey);
    return null;
  }

  #leaveTombstone(cacheKey: string, version: number, fence: number): 'invalidated' {
    this.#put(cacheKey, { state: 'tombstone', version, fence }, this.#options.tombstoneTtlMs);
    return 'invalidated';
  }

  #put(
    cacheKey: string,
    entry: Unwritten,
    ttlMs: number | null,
    writtenAtMs = this.#nowMs(),
  ): void {
    const expiresAtMs = ttlMs === null ? null : this.#options.wallMs() + ttlMs;
    const owner = this.#options.ownerOf?.(cacheKey);
    const held: Entry = { ...entry, writtenAtMs, ...(owner === undefined ? {} : { owner }) };
    this.#set(cacheKey, { held, text: null, expiresAtMs });
  }

  #set(cacheKey: string, stored: Stored): void {
    this.#stored.set(cacheKey, stored);
    this.#replication?.changed(cacheKey, stored);
    this.onChange(cacheKey);
  }

  #remove(cacheKey: string): void {
    if (!this.#stored.delete(cacheKey)) return;
    this.#replication?.changed(cacheKey, undefined);
    this.onChange(cacheKey);
  }

  #nowMs(): number {
    return Math.floor(this.#options.wallMs());
  }
}

type Timed<T> = T extends unknown ? Omit<T, 'writtenAtMs'> : never;
type Unwritten = Timed<Entry>;

/** Whether it is exactly this intent. */
function isIntent(held: Held | undefined, { intentId, fence }: Intent): held is IntentEntry {
  return held?.state === 'intent' && held.fence === fence && held.intentId === intentId;
}

/** The id of the read lease that stands in it. */
function leaseIn(held: Held): string | undefined {
  if (held.state === 'lease') return held.leaseId;
  return held.state === 'value' ? held.refresh?.leaseId : undefined;
}

const graced = (graceMs: number): { graceMs?: number } => (graceMs > 0 ? { graceMs } : {});

function seen(held: Held | undefined): { version: number; fence: number } {
  return held === undefined || held.state === 'corrupt' ? NOTHING : held;
}

function textOf(stored: Stored): string {
  if (stored.text === null) {
    stored.text = stored.held.state === 'corrupt' ? '' : encodeEntry(stored.held);
  }
  return stored.text;
}
