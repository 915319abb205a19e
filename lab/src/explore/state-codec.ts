import type { Memory } from '../model/process.ts';
import type { World } from '../model/world.ts';
import { Interner } from './interner.ts';
import type { Machine, State } from './machine.ts';

function flat(part: object): string {
  let key = '';
  for (const field of Object.values(part)) key += `${String(field)}|`;
  return key;
}

// Written out for speed, because the explorer spends much of its time here. Each function uses every field of its type.
const keyOfEntry = (it: World['cache']): string =>
  `${it.state}|${it.value}|${it.version}|${it.fence}`;
const keyOfSeen = (it: World['seen']): string =>
  `${it.version}|${it.acknowledged}|${it.uncommitted}`;
const keyOfMemory = (it: Memory): string =>
  `${it.at}|${it.value}|${it.version}|${it.fence}|${it.hasLease}|${it.token}|${it.home}|${it.mints}|${it.calledAt}`;
/** The number of a world's parts. The memories follow them. */
const FIRST_MEMORY = 12;
const text = (part: unknown): string => String(part);

/**
 * Encodes states as rows of numbers and back. Equal readers are sorted, so that states that differ only in swapped
 * readers have the same row (symmetry reduction; C. N. Ip, D. L. Dill, "Better verification through symmetry", 1996).
 */
export class StateCodec {
  readonly width: number;
  readonly #world = {
    database: new Interner<World['database']>(flat),
    cache: new Interner<World['cache']>(keyOfEntry),
    replica: new Interner<number>(text),
    logPosition: new Interner<number>(text),
    queue: new Interner<string>(text),
    outbox: new Interner<string>(text),
    lock: new Interner<string>(text),
    homes: new Interner<World['homes']>(flat),
    tokens: new Interner<number>(text),
    clock: new Interner<number>(text),
    seen: new Interner<World['seen']>(keyOfSeen),
    faults: new Interner<World['faults']>(text),
  } satisfies { [Part in keyof World]: Interner<World[Part]> };
  readonly #memory = new Interner<Memory>(keyOfMemory);
  /** The places in a row that hold the memories of equal processes, by group. */
  readonly #alike: readonly (readonly number[])[];

  constructor({ processes }: Machine) {
    this.width = FIRST_MEMORY + processes.length;
    const groups = new Map<string, number[]>();
    processes.forEach(({ group }, index) => {
      if (group !== '') groups.set(group, [...(groups.get(group) ?? []), FIRST_MEMORY + index]);
    });
    this.#alike = [...groups.values()].filter((places) => places.length > 1);
  }

  /**
   * Writes the state's row.
   * @param from the previous state and its row, so that equal parts need not be encoded again
   */
  encode(
    { world, memories }: State,
    row: Int32Array,
    from?: { state: State; row: Int32Array },
  ): void {
    const parts = this.#world;
    const old = from?.state.world;
    const known = from?.row;
    row[0] = numberOf(parts.database, world.database, old?.database, known?.[0]);
    row[1] = numberOf(parts.cache, world.cache, old?.cache, known?.[1]);
    row[2] = numberOf(parts.replica, world.replica, old?.replica, known?.[2]);
    row[3] = numberOf(parts.logPosition, world.logPosition, old?.logPosition, known?.[3]);
    row[4] = numberOf(parts.queue, world.queue, old?.queue, known?.[4]);
    row[5] = numberOf(parts.outbox, world.outbox, old?.outbox, known?.[5]);
    row[6] = numberOf(parts.lock, world.lock, old?.lock, known?.[6]);
    row[7] = numberOf(parts.homes, world.homes, old?.homes, known?.[7]);
    row[8] = numberOf(parts.tokens, world.tokens, old?.tokens, known?.[8]);
    row[9] = numberOf(parts.seen, world.seen, old?.seen, known?.[9]);
    row[10] = numberOf(parts.faults, world.faults, old?.faults, known?.[10]);
    row[11] = numberOf(parts.clock, world.clock, old?.clock, known?.[11]);
    for (let index = 0; index < memories.length; index += 1) {
      const memory = memories[index];
      if (memory === undefined) continue;
      const before = from?.state.memories[index];
      row[FIRST_MEMORY + index] = numberOf(
        this.#memory,
        memory,
        before,
        known?.[FIRST_MEMORY + index],
      );
    }
    for (const places of this.#alike) order(row, places);
  }

  decode(row: Int32Array): State {
    const parts = this.#world;
    const world: World = {
      database: parts.database.part(row[0]),
      cache: parts.cache.part(row[1]),
      replica: parts.replica.part(row[2]),
      logPosition: parts.logPosition.part(row[3]),
      queue: parts.queue.part(row[4]),
      outbox: parts.outbox.part(row[5]),
      lock: parts.lock.part(row[6]),
      homes: parts.homes.part(row[7]),
      tokens: parts.tokens.part(row[8]),
      seen: parts.seen.part(row[9]),
      faults: parts.faults.part(row[10]),
      clock: parts.clock.part(row[11]),
    };
    const memories: Memory[] = [];
    for (let at = FIRST_MEMORY; at < this.width; at += 1) memories.push(this.#memory.part(row[at]));
    return { world, memories };
  }
}

function numberOf<T>(interner: Interner<T>, part: T, before?: T, known?: number): number {
  return known !== undefined && part === before ? known : interner.number(part);
}

/** Sorts the numbers at these places. Insertion sort is fast enough, because there are few. */
function order(row: Int32Array, places: readonly number[]): void {
  for (let end = 1; end < places.length; end += 1) {
    for (let at = end; at > 0; at -= 1) {
      const [left, right] = [places[at - 1] ?? 0, places[at] ?? 0];
      const [before, after] = [row[left] ?? 0, row[right] ?? 0];
      if (before <= after) break;
      row[left] = after;
      row[right] = before;
    }
  }
}
