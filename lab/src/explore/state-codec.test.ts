import { describe, expect, it } from 'vitest';
import { freshMemory } from '../model/process.ts';
import { USUAL_BOUNDS } from '../model/strategy.ts';
import { entry } from '../model/world.ts';
import { distributedLock } from '../strategies/distributed-lock.ts';
import { Machine, type State } from './machine.ts';
import { StateCodec } from './state-codec.ts';

const machine = new Machine(distributedLock, USUAL_BOUNDS);
const codec = new StateCodec(machine);

function startOf(): State {
  const [start] = machine.starts;
  if (start === undefined) throw new Error('a machine has a start');
  return start;
}

function rowOf(state: State): number[] {
  const row = new Int32Array(codec.width);
  codec.encode(state, row);
  return [...row];
}

describe('rows of states', () => {
  it('can be decoded to their states', () => {
    const start = startOf();
    const { world } = start;
    const cache = entry('intent', { value: 'A', version: 3, fence: 7 });
    const states: State[] = [
      start,
      { ...start, world: { ...world, cache } },
      { ...start, world: { ...world, database: { ...world.database, commits: 'AB', fence: 9 } } },
      { ...start, world: { ...world, queue: 'A', outbox: 'B', lock: 'A', replica: 1, clock: 4 } },
      { ...start, world: { ...world, seen: { version: 2, acknowledged: 'A', uncommitted: 'B' } } },
      { ...start, world: { ...world, logPosition: 1, tokens: 2, faults: [1, 0] } },
      { ...start, world: { ...world, homes: { named: 2, first: 'A', second: 'B' } } },
    ];
    for (const state of states) expect(codec.decode(Int32Array.from(rowOf(state)))).toEqual(state);
    expect(new Set(states.map((state) => rowOf(state).join())).size).toBe(states.length);
  });

  it('differ if any part of a process’s memory differs', () => {
    const start = startOf();
    const parts = [
      { value: 'A' },
      { version: 1 },
      { fence: 1 },
      { hasLease: true },
      { token: 'A' },
      { home: 2 as const },
      { mints: 1 },
      { calledAt: 1 },
    ];
    const rows = [{}, ...parts].map((part) => {
      const memories = start.memories.with(0, { ...freshMemory('acquire'), ...part });
      return rowOf({ ...start, memories }).join();
    });
    expect(new Set(rows).size).toBe(rows.length);
  });

  it('differ if any part of the entry differs', () => {
    const start = startOf();
    const entries = [
      entry('value'),
      entry('lease'),
      entry('value', { value: 'A' }),
      entry('value', { version: 1 }),
      entry('value', { fence: 1 }),
    ];
    const rows = entries.map((cache) => rowOf({ ...start, world: { ...start.world, cache } }));
    expect(new Set(rows.map((row) => row.join())).size).toBe(rows.length);
  });

  it('are the same if two identical readers are swapped, but not if two writers are', () => {
    const start = startOf();
    const busy = freshMemory('acquire');
    const at = (name: string): number => machine.processes.findIndex((it) => it.name === name);
    const withBusy = (name: string): string =>
      rowOf({ ...start, memories: start.memories.with(at(name), { ...busy, version: 1 }) }).join();
    expect(withBusy('Reader 1')).toBe(withBusy('Reader 2'));
    expect(withBusy('Writer A')).not.toBe(withBusy('Writer B'));
  });
});
