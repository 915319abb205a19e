import type { DeadLetter } from '@lockstep/shared';
import type { Key, RelatedRows } from '../../../server/src/domain/index.ts';
import type {
  AskedInvalidation,
  LeftSteps,
  OutboxRow,
  OutboxDecision,
  OutboxStore,
} from '../../../server/src/outbox/port.ts';

interface Held {
  row: Omit<OutboxRow, 'ageMs'>;
  createdAtMs: number;
  retryAtMs: number | null;
  /** The transaction that has locked it; null: none. */
  holder: Holder | null;
}

/** A relay's transaction on the rows that it has taken. */
export interface Holder {
  rows: OutboxRow[];
}

interface StoredDeadLetter extends Held {
  error: string;
}

const NOTHING_RELATED: RelatedRows = { before: null, after: null };

/** The outbox's table in memory, with its row locks. */
export class MemoryOutbox {
  readonly #nowMs: () => number;
  /** By id, oldest first. */
  readonly #rows = new Map<string, Held>();
  readonly #deadLetters = new Map<string, StoredDeadLetter>();
  #lastId = 0;

  /** @param nowMs the database's own clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  note(key: Key, version: number, related: RelatedRows): string {
    return this.#insert({
      ...{ resource: key.resource.name, keyText: key.text, version, bareCacheKey: null },
      related,
    });
  }

  append(items: readonly AskedInvalidation[]): void {
    for (const item of items) {
      const what =
        'cacheKey' in item
          ? { resource: '', keyText: '', bareCacheKey: item.cacheKey }
          : { ...item, bareCacheKey: null };
      this.#insert({ ...what, version: null, related: NOTHING_RELATED });
    }
  }

  /** As `OutboxStore.leftOf`. */
  leftOf(
    { resource, keyText, fromVersion }: Parameters<OutboxStore['leftOf']>[0],
    limit: number,
  ): LeftSteps {
    const isAsked = ({ row }: Held): boolean =>
      row.resource === resource && row.keyText === keyText && (row.version ?? -1) >= fromVersion;
    const rows = [...this.#rows.values()].filter(isAsked).slice(0, limit);
    return {
      rows: rows.map(({ row }) => ({ ...row, ageMs: 0 })),
      hasDeadLetters: [...this.#deadLetters.values()].some(isAsked),
    };
  }

  /** Skips rows that a relay has locked. */
  remove(ids: readonly string[]): void {
    for (const id of ids) if (this.#rows.get(id)?.holder === null) this.#rows.delete(id);
  }

  /** Locks up to `limit` due rows that are not locked. */
  take(limit: number, graceMs: number): Holder {
    const holder: Holder = { rows: [] };
    const nowMs = this.#nowMs();
    for (const held of this.#rows.values()) {
      if (holder.rows.length >= limit) break;
      const dueAtMs = held.retryAtMs ?? held.createdAtMs + graceMs;
      if (held.holder !== null || dueAtMs > nowMs) continue;
      held.holder = holder;
      holder.rows.push({ ...held.row, ageMs: Math.max(0, Math.round(nowMs - held.createdAtMs)) });
    }
    return holder;
  }

  /** Commits a relay's decisions on its rows. */
  settle(holder: Holder, decisions: readonly OutboxDecision[]): void {
    for (const decided of decisions) {
      const held = this.#rows.get(decided.id);
      if (held?.holder !== holder) continue;
      if (decided.decision === 'retry' || decided.decision === 'left') {
        held.retryAtMs = this.#nowMs() + Math.max(0, Math.round(decided.delayMs));
        if (decided.decision === 'retry' && decided.counted)
          held.row = { ...held.row, attempts: held.row.attempts + 1 };
        continue;
      }
      this.#rows.delete(decided.id);
      if (decided.decision === 'dead') {
        this.#deadLetters.set(decided.id, { ...held, error: decided.error });
      }
    }
    this.release(holder);
  }

  /** Rolls a relay's transaction back. */
  release(holder: Holder): void {
    for (const held of this.#rows.values()) if (held.holder === holder) held.holder = null;
  }

  /** Whether there is a row for this key. */
  holds(resource: string, keyText: string): boolean {
    return [...this.#rows.values()].some(
      ({ row }) => row.resource === resource && row.keyText === keyText,
    );
  }

  depth(): { depth: number; oldestMs: number | null; deadLetters: number } {
    const [oldest] = this.#rows.values();
    return {
      depth: this.#rows.size,
      oldestMs: oldest === undefined ? null : Math.round(this.#nowMs() - oldest.createdAtMs),
      deadLetters: this.#deadLetters.size,
    };
  }

  deadLetters(limit: number): DeadLetter[] {
    return [...this.#deadLetters.values()]
      .reverse()
      .slice(0, limit)
      .map(({ row, createdAtMs, error }) => ({
        id: row.id,
        resource: row.resource,
        key: row.bareCacheKey ?? row.keyText,
        version: row.version ?? 0,
        attempts: row.attempts,
        createdAtMs,
        error,
      }));
  }

  retryDeadLetter(id: string): boolean {
    const letter = this.#deadLetters.get(id);
    if (letter === undefined) return false;
    this.#deadLetters.delete(id);
    const newId = this.#insert(letter.row);
    const held = this.#rows.get(newId);
    if (held !== undefined) held.retryAtMs = this.#nowMs();
    return true;
  }

  discardDeadLetter(id: string): boolean {
    return this.#deadLetters.delete(id);
  }

  #insert(what: Omit<OutboxRow, 'id' | 'attempts' | 'ageMs'>): string {
    const id = String((this.#lastId += 1));
    const { resource, keyText, version, bareCacheKey, related } = what;
    const row = { id, resource, keyText, version, bareCacheKey, related, attempts: 0 };
    this.#rows.set(id, { row, createdAtMs: this.#nowMs(), retryAtMs: null, holder: null });
    return id;
  }
}
