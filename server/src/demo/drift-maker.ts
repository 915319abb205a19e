import {
  DRIFT_KINDS,
  encodeEntry,
  type DriftReport,
  type DriftRequest,
  type JsonValue,
  type Row,
  type ValueEntry,
} from '@lockstep/shared';
import {
  isServedFromCache,
  isComputed,
  isDerived,
  type Key,
  LockstepError,
  makeKey,
  type Resource,
  ROWS_COLUMN,
} from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { CachedValues, type CachedValue } from './adapters/cached-values-redis.ts';
import { columnToChange, PostgresRows } from './adapters/postgres-rows.ts';
import type { DriftMaker } from './port.ts';

type DriftKind = NonNullable<DriftRequest['kind']>;

const MAX_COUNT = 100;
/** Drift on an entry that is about to expire would be gone before anybody sees it. */
const MIN_TTL_MS = 45_000;
const ORPHAN_ATTEMPTS = 20;

export interface DriftMakerOptions {
  /** PostgreSQL. */
  databaseUrl: string;
  cacheUrl: string;
  runtime: Runtime;
}

/** Makes drift for the demo; connects at its first use. */
export function createDriftMaker(
  options: DriftMakerOptions,
): DriftMaker & { close(): Promise<void> } {
  return new DirectDriftMaker(options);
}

/**
 * Prefers entries that are hardly ever written or read: on a busy key the next write would set most kinds right (and
 * the next read a corrupt entry) before an audit could find them.
 */
class DirectDriftMaker implements DriftMaker {
  readonly #cache: CachedValues;
  readonly #rows: PostgresRows;
  readonly #runtime: Runtime;

  constructor({ databaseUrl, cacheUrl, runtime }: DriftMakerOptions) {
    this.#cache = new CachedValues(cacheUrl, runtime.log);
    this.#rows = new PostgresRows(databaseUrl, runtime.log);
    this.#runtime = runtime;
  }

  async makeDrift(resource: Resource, count: number, kind?: DriftKind): Promise<DriftReport> {
    if (!isServedFromCache(resource)) {
      throw invalid('resource', `${resource.name} is never cached by Lockstep: it cannot drift`);
    }
    if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
      throw invalid('count', `must be a whole number from 1 to ${MAX_COUNT}`);
    }
    if (kind !== undefined && !kindsOf(resource).includes(kind)) {
      throw invalid('kind', `${resource.name} is a query: its rows are other resources'`);
    }
    const kinds = kind === undefined ? kindsOf(resource) : [kind];
    const cached = await this.#cache.list(resource);
    const spare = cached.filter(({ ttlMs }) => ttlMs >= MIN_TTL_MS);
    const made: DriftReport['made'] = [];
    for (const value of spare.length > 0 ? spare : cached) {
      if (made.length >= count) break;
      const next = kinds[made.length % kinds.length];
      if (next === undefined) break;
      const key = await this.#make(next, value);
      if (key !== null) made.push({ key: key.text, kind: next });
    }
    this.#runtime.log.info({ resource: resource.name, made: made.length }, 'demo: made drift');
    return { made };
  }

  async close(): Promise<void> {
    this.#cache.close();
    await this.#rows.close();
  }

  /** The key that drifts now; null where the entry changed under our hands, or its columns don't allow this kind. */
  async #make(kind: DriftKind, value: CachedValue): Promise<Key | null> {
    const { key, entry } = value;
    switch (kind) {
      case 'database':
        return (await this.#rows.change(key)) ? key : null;
      case 'cache': {
        const row = changedRow(key.resource, entry.row);
        if (row === null) return null;
        return (await this.#cache.replace(value, encodeEntry({ ...entry, row }))) ? key : null;
      }
      case 'negative':
        return (await this.#cache.replace(value, encodeEntry({ ...entry, row: null })))
          ? key
          : null;
      case 'corrupt':
        return (await this.#cache.replace(value, 'written by someone else')) ? key : null;
      case 'no-ttl':
        return (await this.#cache.persist(value)) ? key : null;
      case 'orphan':
        return this.#makeOrphan(value);
    }
  }

  /** Caches a row that the database does not have, under a key like the others. */
  async #makeOrphan({ key, entry, ttlMs }: CachedValue): Promise<Key | null> {
    for (let attempt = 0; attempt < ORPHAN_ATTEMPTS; attempt++) {
      const orphan = this.#madeUpKey(key);
      if (orphan === null) return null;
      if (await this.#rows.has(orphan)) continue;
      const row: Row = { ...entry.row, ...keyColumnsOf(orphan, entry) };
      if (await this.#cache.add(orphan, encodeEntry({ ...entry, row }), ttlMs)) return orphan;
    }
    return null;
  }

  /** A key of the same form with other parts; null where its columns' types don't say how. */
  #madeUpKey({ resource }: Key): Key | null {
    const parts: string[] = [];
    for (const column of resource.keyColumns) {
      const number = Math.floor(this.#runtime.random.next() * 36 ** 3);
      if (column.type === 'text') parts.push(`~${number.toString(36).toUpperCase()}`);
      else if (column.type === 'integer' || column.type === 'bigint') parts.push(`-${number + 1}`);
      else return null;
    }
    return makeKey(resource, parts);
  }
}

/** What a query reads is written elsewhere, and every key of it has an answer. */
const kindsOf = (resource: Resource): readonly DriftKind[] =>
  isComputed(resource)
    ? []
    : isDerived(resource)
      ? DRIFT_KINDS.filter((kind) => kind !== 'database' && kind !== 'orphan')
      : DRIFT_KINDS;

/** The row with one column changed, as a program that writes the cache itself might leave it. */
function changedRow(resource: Resource, row: Row | null): Row | null {
  if (isDerived(resource)) return withoutFirst(row);
  const column = columnToChange(resource);
  if (column === null || row === null) return null;
  return { ...row, [column.name]: changedValue(row[column.name]) };
}

/** An answer that lost its first row; null where it has none. */
function withoutFirst(row: Row | null): Row | null {
  const rows = row?.[ROWS_COLUMN];
  return Array.isArray(rows) && rows.length > 0 ? { ...row, [ROWS_COLUMN]: rows.slice(1) } : null;
}

function changedValue(value: JsonValue | undefined): JsonValue {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'string')
    return /^-?\d+$/.test(value) ? String(BigInt(value) + 1n) : `${value}*`;
  return 'changed';
}

/** The key's columns in the JSON types that the cached row has them in. */
function keyColumnsOf(key: Key, entry: ValueEntry): Row {
  const columns = key.resource.keyColumns.map(({ name }, index): [string, JsonValue] => {
    const part = key.parts[index] ?? '';
    return [name, typeof entry.row?.[name] === 'number' ? Number(part) : part];
  });
  return Object.fromEntries(columns);
}

function invalid(path: string, message: string): LockstepError {
  return new LockstepError('INVALID', `${path} ${message}`, {
    details: { errors: [{ path, message }] },
  });
}
