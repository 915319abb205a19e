import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { cell } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

/** A cached resource with a column that every writer adds 1 to. */
interface Counter {
  resource: string;
  table: string;
  column: string;
  id: number;
}

interface Committed {
  value: number;
  atMs: number;
}

export interface Staleness {
  reads: number;
  fromCache: number;
  /** Writes that bypassed Lockstep, and through it. */
  besides: number;
  through: number;
  /** Longest that a value was answered after a newer one was committed. */
  worstMs: number;
}

/** A key of each cached policy. */
export function counters(): Counter[] {
  return [
    { resource: 'account', table: 'accounts', column: 'balance', id: newId() },
    { resource: 'profile', table: 'profiles', column: 'visits', id: newId() },
    { resource: 'ledger', table: 'ledgers', column: 'amount', id: newId() },
    { resource: 'order', table: 'orders', column: 'quantity', id: newId() },
    { resource: 'sample', table: 'samples', column: 'big', id: newId() },
  ];
}

const FIRST_ROWS: Record<string, object> = {
  account: { owner: 'Ada', balance: 0 },
  profile: { name: 'Ada', visits: 0 },
  ledger: { amount: 0 },
  order: { item: 'pen', quantity: 0 },
  sample: { big: 0 },
};

/** Writes that bypass Lockstep, writes through it, and reads, all of the same keys, until `stop`. */
export class SideLoad {
  readonly counters: readonly Counter[];
  readonly #bed: TestBed;
  readonly #committed = new Map<Counter, Committed[]>();
  readonly #seen: Staleness = { reads: 0, fromCache: 0, besides: 0, through: 0, worstMs: 0 };
  #loops: Promise<void>[] = [];
  #isOn = true;

  constructor(bed: TestBed, of: readonly Counter[] = counters()) {
    this.#bed = bed;
    this.counters = of;
    for (const counter of of) this.#committed.set(counter, []);
  }

  async start(): Promise<void> {
    for (const { resource, id } of this.counters) {
      await eventually(async () => {
        const answer = await this.#bed.api.put(resource, id, FIRST_ROWS[resource] ?? {});
        expect([200, 201]).toContain(answer.status);
      });
    }
    this.#loops = this.counters.flatMap((counter) => [
      this.#loop(() => this.#writeBeside(counter), 15),
      this.#loop(() => this.#writeThrough(counter), 40),
      this.#loop(() => this.#read(counter), 2),
      this.#loop(() => this.#read(counter), 3),
    ]);
  }

  /** Resolves when so much was done. */
  until({ reads, besides }: Pick<Staleness, 'reads' | 'besides'>): Promise<void> {
    return eventually(
      () => {
        expect(this.#seen.reads).toBeGreaterThanOrEqual(reads);
        expect(this.#seen.besides).toBeGreaterThanOrEqual(besides);
      },
      { withinMs: 60_000 },
    );
  }

  async stop(): Promise<Staleness> {
    this.#isOn = false;
    await Promise.all(this.#loops);
    return this.#seen;
  }

  /** What the database has, and what is answered. */
  async compare(counter: Counter): Promise<{ stored: number; answered: number }> {
    const { table, column, resource, id } = counter;
    const [row] = await this.#bed.behind.sql(`select ${column} from ${table} where id = ?`, [id]);
    const answer = await this.#bed.api.get(resource, id);
    return { stored: Number(row?.[column]), answered: Number(cell(answer, column)) };
  }

  /** Calls fail while something is down; the load goes on. */
  async #loop(step: () => Promise<void>, everyMs: number): Promise<void> {
    while (this.#isOn) {
      await step().catch(() => sleep(50));
      await sleep(everyMs);
    }
  }

  async #writeBeside(counter: Counter): Promise<void> {
    const { table, column, id } = counter;
    await this.#bed.behind.sql(`update ${table} set ${column} = ${column} + 1 where id = ?`, [id]);
    const { stored, atMs } = await this.#stored(counter);
    this.#committed.get(counter)?.push({ value: stored, atMs });
    this.#seen.besides += 1;
  }

  async #writeThrough({ resource, column, id }: Counter): Promise<void> {
    const answer = await this.#bed.api.patch(resource, id, { $inc: { [column]: 1 } });
    if (answer.status === 200) this.#seen.through += 1;
  }

  async #stored({ table, column, id }: Counter): Promise<{ stored: number; atMs: number }> {
    const [row] = await this.#bed.behind.sql(`select ${column} from ${table} where id = ?`, [id]);
    return { stored: Number(row?.[column]), atMs: performance.now() };
  }

  /** Counters only grow: an answer below what was stored before the call is old, since that moment. */
  async #read(counter: Counter): Promise<void> {
    const calledAtMs = performance.now();
    const answer = await this.#bed.api.get(counter.resource, counter.id);
    if (answer.status !== 200) return;
    const value = Number(cell(answer, counter.column));
    this.#seen.reads += 1;
    if (answer.body.source === 'cache') this.#seen.fromCache += 1;
    const newer = this.#committed.get(counter)?.find((committed) => committed.value > value);
    if (newer === undefined) return;
    this.#seen.worstMs = Math.max(this.#seen.worstMs, calledAtMs - newer.atMs);
  }
}
