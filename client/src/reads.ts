/**
 * Reads: from the cache where its entry may be answered, else from the coordinator.
 *
 * Of a resource of level `local`, a value in memory is answered first, if it is not older than what was seen. Then what
 * stands in the cache decides (docs/read-protocol.md):
 *   a value of the resource's own, not older than what was seen   is answered
 *   an intent, a lease, a tombstone, nothing, another's entry,
 *   no entry at all, or no answer of the cache                    the coordinator is asked, which reads and fills
 */
import type { JsonObject, JsonValue } from '@lockstep/shared/for-clients';
import type { Batches, BatchedCall } from './batches.ts';
import { Call, type CallSettings, type CallSpec } from './call.ts';
import { partsAsGiven, type ReadableResource, type ResourceCatalog } from './catalog.ts';
import {
  type CachedRow,
  type CachedValue,
  type MissReason,
  parseRow,
  readEntry,
} from './entry-reader.ts';
import { LockstepError } from './errors.ts';
import { isReadObserved, tell } from './events.ts';
import { keyText } from './json.ts';
import type { LocalFill } from './local-fills.ts';
import { ManyEntries } from './many-entries.ts';
import type { CachePort, EntryReader, EntryText, LocalValues } from './ports.ts';
import type { ClientRuntime, Timer } from './runtime.ts';
import type { Session } from './session.ts';
import type { Key, ReadOptions, ReadResult } from './types.ts';

export type AnyResult = ReadResult<JsonValue> | null;

/** Who waits for the result of a read. */
export interface ReadSink {
  read(result: AnyResult, index: number): void;
  failed(error: LockstepError): void;
}

export interface ReadsOptions extends CallSettings {
  catalog: ResourceCatalog;
  /** Null: every read goes to the coordinator. */
  direct: Pick<CachePort, 'connection' | 'reads'> | null;
  /** Null: nothing is kept in memory. */
  local: LocalValues | null;
  batches: Batches;
}

const NO_KEYS: readonly string[] = [];
/** Cache keys whose rows could not be parsed: bound on how many are remembered. */
const MAX_DISTRUSTED = 1_000;

export class Reads {
  readonly options: ReadsOptions;
  /** Entries whose rows turned out to be no JSON: the coordinator reads them, and replaces them. */
  readonly #distrusted = new Set<string>();

  constructor(options: ReadsOptions) {
    this.options = options;
  }

  /** @throws LockstepError `INVALID` where the key is none */
  read(asked: AskedRead, sink: ReadSink, index: number): void {
    const read = new Read(this, asked, sink, index);
    const { catalog, direct, local } = this.options;
    const { resource, options, key } = asked;
    const readable = direct?.connection.isUp === true ? catalog.readable(resource) : undefined;
    const entryKey = readable?.keys.of(key) ?? null;
    if (direct === null || readable === undefined || entryKey === null) {
      read.askCoordinator('unread');
      return;
    }
    if (isForCoordinator(options, readable) || this.#isDistrusted(entryKey.cacheKey)) {
      read.askCoordinator('asked');
      return;
    }
    read.place(readable, entryKey.cacheKey, entryKey.parts);
    if (local !== null && readable.level === 'local' && options.signal?.aborted !== true) {
      const kept = local.find(entryKey.cacheKey);
      if (kept !== undefined && read.answer(kept, 'local')) return;
      read.readEntry(local.begin(resource, entryKey.cacheKey));
    } else read.readEntry(null);
    direct.reads.add(read);
  }

  /** Reads many rows of one resource, together from the cache where that is possible. */
  readMany(asked: Omit<AskedRead, 'key'>, keys: readonly Key[], sink: ReadSink): void {
    const readable = this.#readTogether(asked);
    const together = readable === null ? null : this.#manyEntries(readable, asked, keys, sink);
    for (const [index, key] of keys.entries()) {
      const entryKey = readable?.keys.of(key) ?? null;
      if (together === null || entryKey === null || this.#distrusted.has(entryKey.cacheKey))
        this.read({ ...asked, key }, sink, index);
      else together.add({ index, entryKey });
    }
    together?.read();
  }

  /**
   * The resource; null where each row must be read by itself, because its read is bounded, its value is kept in memory, or
   * it is compared with what replicas have.
   */
  #readTogether({ resource, options }: Omit<AskedRead, 'key'>): ReadableResource | null {
    const { catalog, direct, local } = this.options;
    if (direct === null || !direct.connection.isUp || direct.reads.maxKeys === 1) return null;
    const readable = catalog.readable(resource);
    if (readable === undefined || readable.kind !== 'rows' || catalog.hasReplicas) return null;
    if (isForCoordinator(options, readable)) return null;
    if (options.timeoutMs !== undefined || options.signal !== undefined) return null;
    return local !== null && readable.level === 'local' ? null : readable;
  }

  #manyEntries(
    readable: ReadableResource,
    asked: Omit<AskedRead, 'key'>,
    keys: readonly Key[],
    sink: ReadSink,
  ): ManyEntries | null {
    const { catalog, direct } = this.options;
    if (direct === null) return null;
    const { options, session } = asked;
    return new ManyEntries({
      ...{ catalog, readable, session, reads: direct.reads },
      minVersion: options.minVersion ?? 0,
      onValue: (result, index) => sink.read(result, index),
      onOther: ({ index, entryKey }, text) => {
        const read = new Read(this, { ...asked, key: keys[index] ?? '' }, sink, index);
        read.place(readable, entryKey.cacheKey, entryKey.parts);
        read.entriesRead([text], 0);
      },
    });
  }

  distrust(cacheKey: string): void {
    this.options.local?.forget(cacheKey);
    if (this.#distrusted.size < MAX_DISTRUSTED) this.#distrusted.add(cacheKey);
  }

  /** Once only: by the next time the coordinator has replaced the entry. */
  #isDistrusted(cacheKey: string): boolean {
    return this.#distrusted.size > 0 && this.#distrusted.delete(cacheKey);
  }
}

/** Only rows have versions, and what a computed value lacks no coordinator can fill: it says so. */
const isForCoordinator = (
  { consistency, minVersion = 0 }: ReadOptions,
  { kind }: ReadableResource,
): boolean =>
  consistency === 'primary' || kind === 'computed' || (minVersion > 0 && kind === 'query');

export interface AskedRead {
  resource: string;
  key: Key;
  options: ReadOptions;
  session: Session;
}

/** One read on its way. */
class Read implements EntryReader {
  readonly #reads: Reads;
  readonly #asked: AskedRead;
  readonly #sink: ReadSink;
  readonly #index: number;
  #readable: ReadableResource | null = null;
  #parts: readonly string[] | null = null;
  #name: string | undefined;
  /** Set where what is found is kept in memory. */
  #fill: LocalFill | null = null;
  /** Set where the caller bounds this very read. */
  #bound: ReadBound | null = null;
  cacheKeys: readonly string[] = NO_KEYS;

  constructor(reads: Reads, asked: AskedRead, sink: ReadSink, index: number) {
    this.#reads = reads;
    this.#asked = asked;
    this.#sink = sink;
    this.#index = index;
  }

  place(readable: ReadableResource, cacheKey: string, parts: readonly string[]): void {
    this.#readable = readable;
    this.cacheKeys = [cacheKey];
    this.#parts = parts;
  }

  /** @param fill keeps in memory what is found; null: it is not kept */
  readEntry(fill: LocalFill | null): void {
    this.#fill = fill;
    const { timeoutMs, signal } = this.#asked.options;
    if (timeoutMs !== undefined || signal !== undefined)
      this.#bound = new ReadBound({ timeoutMs, signal }, this.#reads.options.runtime, (error) =>
        this.#sink.failed(error),
      );
  }

  /** How much longer the entry lives is how long its value may be kept. */
  get needsLife(): boolean {
    return this.#fill !== null;
  }

  entriesRead(texts: readonly EntryText[], from: number, leftMs?: number): void {
    this.#entryRead(texts[from], leftMs);
    if (this.#fill !== null) this.#reads.options.local?.end(this.#fill);
  }

  #entryRead(text: EntryText, leftMs: number | undefined): void {
    if (this.#bound?.end() === false) return;
    const readable = this.#readable;
    if (readable === null || text === undefined) {
      this.askCoordinator('unread');
      return;
    }
    const entry = readEntry(text, readable.owner);
    if (typeof entry === 'string') {
      if (entry === 'foreign') this.#reads.options.catalog.doubt();
      this.askCoordinator(entry);
    } else if (this.answer(entry, 'cache')) this.#keep(entry, text, leftMs);
    else this.askCoordinator('older');
  }

  /** Answers a value unless it is older than what the caller asks for and has seen. */
  answer(entry: CachedValue, source: 'local' | 'cache'): boolean {
    const readable = this.#readable;
    if (readable === null || !this.#isEnough(entry, readable)) return false;
    this.#answerEntry(entry, readable, source);
    return true;
  }

  #keep(entry: CachedValue, text: string | null, leftMs: number | undefined): void {
    if (this.#fill === null || leftMs === undefined) return;
    this.#reads.options.local?.keep(this.#fill, entry, text?.length ?? 0, leftMs);
  }

  askCoordinator(reason: MissReason | 'older' | 'unread' | 'asked'): void {
    const { resource } = this.#asked;
    if (isReadObserved()) tell('lockstep:read', { resource, from: 'coordinator', reason });
    new CoordinatorRead(this.#reads.options, this.#asked, this.#rowName, this.#bound?.leftMs, {
      read: (result) => this.#sink.read(result, this.#index),
      failed: (error) => this.#sink.failed(error),
    }).start();
  }

  get #rowName(): string {
    const { resource, key } = this.#asked;
    return (this.#name ??= this.#reads.options.catalog.rowName(
      resource,
      this.#parts ?? partsAsGiven(key),
    ));
  }

  /** Whether it is not older than what the caller asks for and has seen. */
  #isEnough(entry: CachedValue, readable: ReadableResource): boolean {
    const { kind, isStrict, isPositioned } = readable;
    const { options, session } = this.#asked;
    const { minVersion = 0 } = options;
    if (kind === 'rows' && entry.version < minVersion) return false;
    const isCompared = !isStrict && isPositioned && this.#reads.options.catalog.hasReplicas;
    if (isCompared && !session.hasPositionsOf(entry)) return false;
    // Last, because it notes that the version is answered.
    return !readable.isTracked || session.sees(this.#rowName, entry.version);
  }

  #answerEntry(entry: CachedValue, { kind }: ReadableResource, source: 'local' | 'cache'): void {
    const { session, resource } = this.#asked;
    const isRows = kind === 'rows';
    if (this.#reads.options.catalog.hasReplicas) session.sawEntry(entry);
    if (isReadObserved()) tell('lockstep:read', { resource, from: source });
    const distrust = (): void => this.#reads.distrust(this.cacheKeys[0] ?? '');
    const { row, version, tag } = entry;
    if (row === null) this.#sink.read(null, this.#index);
    else if (tag !== undefined)
      this.#sink.read(taggedResult(row, version, source, tag, distrust), this.#index);
    else
      this.#sink.read(
        cachedResult(row, isRows ? version : null, source, isRows, distrust),
        this.#index,
      );
  }
}

/** Bounds a read of the cache. What comes later counts no more. */
class ReadBound {
  readonly #deadlineMs: number | undefined;
  readonly #timer: Timer | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #runtime: ClientRuntime;
  readonly #failed: (error: LockstepError) => void;
  #isOver = false;

  constructor(
    { timeoutMs, signal }: { timeoutMs: number | undefined; signal: AbortSignal | undefined },
    runtime: ClientRuntime,
    failed: (error: LockstepError) => void,
  ) {
    this.#runtime = runtime;
    this.#failed = failed;
    this.#signal = signal;
    if (timeoutMs !== undefined) {
      this.#deadlineMs = runtime.nowMs() + timeoutMs;
      this.#timer = runtime.after(timeoutMs, () => this.#fail('TIMEOUT'));
    }
    if (signal?.aborted === true) queueMicrotask(this.#aborted);
    else signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  get leftMs(): number | undefined {
    return this.#deadlineMs === undefined ? undefined : this.#deadlineMs - this.#runtime.nowMs();
  }

  /** False if it was over before. */
  end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#signal?.removeEventListener('abort', this.#aborted);
    return true;
  }

  readonly #aborted = (): void => this.#fail('ABORTED');

  #fail(code: 'TIMEOUT' | 'ABORTED'): void {
    if (!this.end()) return;
    const text = code === 'TIMEOUT' ? 'There was no answer in time.' : 'The caller gave it up.';
    this.#failed(new LockstepError(code, text, { cause: this.#signal?.reason }));
  }
}

function cachedResult(
  row: CachedRow,
  version: number | null,
  source: 'local' | 'cache',
  isRows: boolean,
  distrust: () => void,
): AnyResult {
  let parsed: JsonValue | undefined;
  return {
    version,
    source,
    get value(): JsonValue {
      return (parsed ??= valueOf(row, isRows, distrust));
    },
  };
}

const taggedResult = (
  row: CachedRow,
  version: number,
  source: 'local' | 'cache',
  tag: string,
  distrust: () => void,
): AnyResult => ({
  version,
  source,
  value: valueOf(row, true, distrust),
  etag: `"${version}-${tag}"`,
});

/** @throws LockstepError `CORRUPT_ENTRY` */
function valueOf({ text }: CachedRow, isRows: boolean, distrust: () => void): JsonValue {
  const row = parseRow(text);
  const value = isRows ? row : row?.['rows'];
  if (value !== undefined && (isRows || Array.isArray(value))) return value;
  distrust();
  throw new LockstepError('CORRUPT_ENTRY', 'What is in the cache is no row; read it again.');
}

/** A read that the coordinator answers. */
class CoordinatorRead {
  readonly #options: ReadsOptions;
  readonly #asked: AskedRead;
  readonly #rowName: string;
  readonly #leftMs: number | undefined;
  readonly #sink: { read(result: AnyResult): void; failed(error: LockstepError): void };
  /** The database is older than what the session has seen: it is believed. */
  #isReset = false;

  constructor(
    options: ReadsOptions,
    asked: AskedRead,
    rowName: string,
    leftMs: number | undefined,
    sink: { read(result: AnyResult): void; failed(error: LockstepError): void },
  ) {
    this.#options = options;
    this.#asked = asked;
    this.#rowName = rowName;
    this.#leftMs = leftMs;
    this.#sink = sink;
  }

  start(): void {
    const { resource, key, options, session } = this.#asked;
    const head = `{"op":"get","resource":${JSON.stringify(resource)},"key":${keyText(key)}`;
    let mark = 0;
    const spec: CallSpec = {
      ...{ op: 'get', resource, isWrite: false, isRepeatable: true },
      send: (call) => this.#options.batches.add(call as BatchedCall),
      accept: (result) => this.#answered(result, mark),
      reject: (error) => this.#rejected(error, mark),
    };
    const bounds = this.#leftMs === undefined ? options : { ...options, timeoutMs: this.#leftMs };
    const call = new ReadCall(spec, bounds, this.#options, () => {
      mark = session.mark;
      return head + this.#tail();
    });
    call.start();
  }

  /** What the answer must not be older than, as it is known when the request is sent. */
  #tail(): string {
    const { options, session } = this.#asked;
    const least = this.#isReset ? 0 : session.leastVersion(this.#rowName);
    const minVersion = Math.max(options.minVersion ?? 0, least);
    const isPrimary = options.consistency === 'primary' || this.#isReset;
    const token = session.token;
    return (
      (minVersion > 0 ? `,"minVersion":${minVersion}` : '') +
      (isPrimary ? ',"consistency":"primary"' : '') +
      (token === null ? '}' : `,"token":"${token}"}`)
    );
  }

  #answered(result: JsonObject, mark: number): void {
    const { session } = this.#asked;
    const { value, version, source, etag, token } = result;
    if (typeof token === 'string' && this.#options.catalog.hasReplicas)
      session.sawToken(token, mark);
    const isVersioned = typeof version === 'number';
    if (isVersioned) this.#sawVersion(version, result['key']);
    const answer: ReadResult<JsonValue> = {
      value: value ?? null,
      version: isVersioned ? version : null,
      source: source as ReadResult['source'],
    };
    const isTagged = isVersioned && typeof etag === 'string' && etag !== `"${version}"`;
    this.#sink.read(isTagged ? { ...answer, etag } : answer);
  }

  /** Under the name by which it was asked for, and the coordinator's. */
  #sawVersion(version: number, key: JsonValue | undefined): void {
    const { session, resource } = this.#asked;
    const { catalog } = this.#options;
    if (!catalog.isTracked(resource)) return;
    session.sawVersion(this.#rowName, version);
    const rowName = catalog.rowName(resource, partsAsGiven(key as Key));
    if (rowName !== this.#rowName) session.sawVersion(rowName, version);
  }

  #rejected(error: LockstepError, mark: number): void {
    const { session, options } = this.#asked;
    const { token, currentVersion } = error.details;
    if (token !== undefined && this.#options.catalog.hasReplicas) session.sawToken(token, mark);
    if (error.code === 'NOT_FOUND') this.#sink.read(null);
    else if (
      error.code === 'VERSION_MISMATCH' &&
      !this.#isReset &&
      (currentVersion ?? 0) >= (options.minVersion ?? 0)
    ) {
      // The database was restored, or has forgotten the key: what the session has seen of it is no more.
      session.forgetVersion(this.#rowName);
      this.#isReset = true;
      this.start();
    } else this.#sink.failed(error);
  }
}

class ReadCall extends Call implements BatchedCall {
  readonly text: () => string;

  constructor(spec: CallSpec, bounds: ReadOptions, settings: CallSettings, text: () => string) {
    super(spec, bounds, settings);
    this.text = text;
  }
}
