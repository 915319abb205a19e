import { describe, expect, it } from 'vitest';
import {
  mergeContention,
  mergeLocks,
  mergeMetrics,
  mergeNodes,
  mergeTotals,
  newestTtl,
} from './merge.ts';
import { snapshot, held, node, second, totals, ttl } from './testing/fixtures.ts';

const FACTS = { outboxDepth: 4, consistency: 0.99 };

describe('mergeMetrics', () => {
  it('adds up rates and gauges and takes the highest percentile', () => {
    const merged = mergeMetrics(
      [
        snapshot({ second: second({ writesPerSecond: 1.5, writeP99Ms: 4 }), locksHeld: 2 }),
        snapshot({ second: second({ writesPerSecond: 2, writeP99Ms: 90 }), locksHeld: 3 }),
      ],
      FACTS,
      99,
    );
    expect(merged).toMatchObject({ atMs: 99, writesPerSecond: 3.5, writeP99Ms: 90, locksHeld: 5 });
  });

  it('takes facts of the database once, not once an instance', () => {
    const merged = mergeMetrics([snapshot(), snapshot()], FACTS, 0);
    expect(merged).toMatchObject({ outboxDepth: 4, consistency: 0.99 });
  });

  it('weights the hit rate by the reads that it is a share of', () => {
    const merged = mergeMetrics(
      [
        snapshot({ second: second({ hitRate: 1, lookupsPerSecond: 300 }) }),
        snapshot({ second: second({ hitRate: 0, lookupsPerSecond: 100 }) }),
        snapshot({ second: second({ hitRate: null, lookupsPerSecond: 0 }) }),
      ],
      FACTS,
      0,
    );
    expect(merged.hitRate).toBe(0.75);
  });

  it('has no percentile where nobody measured any', () => {
    const merged = mergeMetrics([snapshot({ second: second({ readP99Ms: null }) })], FACTS, 0);
    expect(merged.readP99Ms).toBeNull();
  });
});

describe('mergeTotals', () => {
  it('adds up writes by policy and outcome without changing its parts', () => {
    const part = totals({ writes: [{ policy: 'strict', outcome: 'applied', count: 2 }] });
    const other = totals({
      writes: [
        { policy: 'strict', outcome: 'applied', count: 3 },
        { policy: 'none', outcome: 'applied', count: 1 },
      ],
      locksLost: 2,
    });
    expect(mergeTotals([part, other])).toMatchObject({
      writes: [
        { policy: 'strict', outcome: 'applied', count: 5 },
        { policy: 'none', outcome: 'applied', count: 1 },
      ],
      locksLost: 2,
    });
    expect(part.writes[0]?.count).toBe(2);
  });
});

describe('mergeLocks', () => {
  const part = (heldKeys: number, instance: string) => ({
    held: Array.from({ length: heldKeys }, (_, index) =>
      held(`${instance}${index}`, { instance, heldMs: index }),
    ),
    heldTotal: heldKeys,
    waiting: [],
    waitingTotal: 0,
  });

  it('shows at most 200 held locks, longest held first, with the true total', () => {
    const merged = mergeLocks([part(150, 'a'), part(150, 'b')], 0);
    expect(merged.held).toHaveLength(200);
    expect(merged.heldTotal).toBe(300);
    const ages = merged.held.map(({ heldMs }) => heldMs);
    expect(ages).toEqual([...ages].sort((a, b) => b - a));
  });

  it('adds up how many of them are leases, as far as it is told', () => {
    const merged = mergeLocks([{ ...part(2, 'a'), leasedTotal: 1 }, part(1, 'b')], 0);
    expect(merged.leasedTotal).toBe(1);
  });

  it('counts the waiters of every instance for a held key', () => {
    const waiting = (instance: string, count: number) => ({
      resource: 'route',
      key: 'a0',
      instance,
      waiting: count,
      longestWaitMs: count,
    });
    const merged = mergeLocks(
      [
        { ...part(1, 'a'), waiting: [waiting('a', 2)], waitingTotal: 2 },
        { ...part(0, 'b'), waiting: [waiting('b', 5)], waitingTotal: 5 },
      ],
      0,
    );
    expect(merged.held[0]?.waiting).toBe(7);
    expect(merged.waiting.map(({ instance }) => instance)).toEqual(['b', 'a']);
    expect(merged.waitingTotal).toBe(7);
  });
});

describe('mergeContention', () => {
  const key = (name: string, count: number, waitP99Ms = 1) => ({
    resource: 'route',
    key: name,
    count,
    error: 1,
    waitP99Ms,
    holdP99Ms: 1,
  });
  const sums = { acquired: 1, contended: 1, timedOut: 0, lost: 0, queueFull: 0 };

  it('adds up counts and errors of one key and takes the highest waits', () => {
    const merged = mergeContention(
      [
        { keys: [key('x', 5, 2), key('y', 8)], totals: sums },
        { keys: [key('x', 6, 9)], totals: sums },
      ],
      0,
    );
    expect(merged.keys.map(({ key: name, count }) => [name, count])).toEqual([
      ['x', 11],
      ['y', 8],
    ]);
    expect(merged.keys[0]).toMatchObject({ error: 2, waitP99Ms: 9 });
    expect(merged.totals.acquired).toBe(2);
  });

  it('shows at most 50 keys', () => {
    const keys = Array.from({ length: 90 }, (_, index) => key(`k${index}`, index));
    const merged = mergeContention([{ keys, totals: sums }], 0);
    expect(merged.keys).toHaveLength(50);
    expect(merged.keys[0]?.count).toBe(89);
  });
});

describe('mergeNodes', () => {
  it('shows the worst view of a server and who shares it', () => {
    const bad = node('lock 1', { status: 'down', detail: 'down' });
    const merged = mergeNodes([[node('lock 1')], [bad], [node('lock 1')]]);
    expect(merged).toEqual([{ ...bad, detail: 'down (seen by 1 of 3 coordinators)' }]);
  });

  it('does not count views where all agree', () => {
    const bad = node('lock 1', { status: 'down', detail: 'down' });
    expect(mergeNodes([[bad], [bad]])).toEqual([bad]);
  });

  it('puts the coordinators last', () => {
    const self = node('me', { kind: 'coordinator' });
    const merged = mergeNodes([
      [node('database', { kind: 'database' }), self],
      [node('cache', { kind: 'cache' })],
    ]);
    expect(merged.map(({ name }) => name)).toEqual(['database', 'cache', 'me']);
  });
});

describe('newestTtl', () => {
  it('takes the newest complete sweep of all instances', () => {
    expect(newestTtl(ttl(5), [ttl(null), ttl(9), ttl(7)]).sweep?.endedAtMs).toBe(9);
    expect(newestTtl(ttl(5), [ttl(null)]).sweep?.endedAtMs).toBe(5);
  });
});
