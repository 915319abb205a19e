import { describe, expect, it } from 'vitest';
import { LockstepError, type TelemetryEvent } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { OutboxRow, OutboxDecision } from './port.ts';
import { OutboxRelay } from './relay.ts';

const account = resource({ policy: 'delete-after-write' });

interface QueuedRow extends OutboxRow {
  createdAtMs: number;
  dueAtMs: number;
}

/** The relay between an outbox in memory and a cache that can be away. */
function set() {
  const runtime = manualRuntime();
  const events: TelemetryEvent[] = [];
  const outbox = {
    rows: [] as QueuedRow[],
    dead: [] as string[],
    isAway: false,
    takes: 0,
    takeMs: 0,
  };
  const cache = {
    available: true,
    failing: new Set<string>(),
    sent: [] as { cacheKey: string; version: number | null }[],
    invalidateMany(items: readonly { cacheKey: string; version: number | null }[]) {
      if (!cache.available) return Promise.reject(new LockstepError('CACHE_UNAVAILABLE', 'away'));
      cache.sent.push(...items);
      return Promise.resolve(
        items.map(({ cacheKey }) =>
          cache.failing.has(cacheKey) ? new Error('WRONGTYPE') : ('invalidated' as const),
        ),
      );
    },
  };
  const settle = (decided: OutboxDecision): void => {
    const at = outbox.rows.findIndex((row) => row.id === decided.id);
    const row = outbox.rows[at];
    if (row === undefined) return;
    if (decided.decision === 'dead') outbox.dead.push(decided.error);
    if (decided.decision === 'done' || decided.decision === 'dead') outbox.rows.splice(at, 1);
    else {
      row.dueAtMs = runtime.clock.nowMs() + decided.delayMs;
      if (decided.decision === 'retry' && decided.counted) row.attempts += 1;
    }
  };
  const store = {
    async take(
      limit: number,
      graceMs: number,
      deliver: (rows: OutboxRow[]) => Promise<OutboxDecision[]>,
    ) {
      outbox.takes += 1;
      if (outbox.isAway) throw new LockstepError('DATABASE_UNAVAILABLE', 'away');
      const nowMs = runtime.clock.nowMs();
      const due = outbox.rows
        .filter((row) => row.dueAtMs <= nowMs && nowMs - row.createdAtMs >= graceMs)
        .slice(0, limit);
      if (outbox.takeMs > 0) await runtime.timers.sleep(outbox.takeMs);
      if (due.length > 0) (await deliver(due)).forEach(settle);
      return due.length;
    },
    depth: () =>
      outbox.isAway
        ? Promise.reject(new LockstepError('DATABASE_UNAVAILABLE', 'away'))
        : Promise.resolve({
            depth: outbox.rows.length,
            oldestMs: outbox.rows.length > 0 ? 1 : null,
            deadLetters: outbox.dead.length,
          }),
  };
  const relay = new OutboxRelay({
    store,
    entries: cache,
    resources: new Map([['account', account]]),
    telemetry: { emit: (event) => events.push(event) },
    runtime,
  });
  let lastId = 0;
  const add = (keyText: string, version = 1): void => {
    outbox.rows.push({
      id: String(++lastId),
      resource: 'account',
      keyText,
      version,
      bareCacheKey: null,
      related: { before: null, after: null },
      attempts: 0,
      ageMs: 0,
      createdAtMs: runtime.clock.nowMs(),
      dueAtMs: 0,
    });
  };
  return { runtime, events, outbox, cache, relay, add };
}

describe('the outbox relay', () => {
  it('leaves young rows to their writer, then finishes them (W5)', async () => {
    const { runtime, outbox, cache, relay, add, events } = set();
    add('1', 3);
    relay.start();
    await runtime.advance(900);
    expect(cache.sent).toEqual([]);
    await runtime.advance(600);
    expect(cache.sent).toEqual([{ cacheKey: 'account:1', version: 3 }]);
    expect(outbox.rows).toEqual([]);
    expect(events.map((event) => event.type)).toEqual(['invalidated', 'outbox-relayed']);
    expect((await relay.status()).relayedTotal).toBe(1);
    await relay.stop();
  });

  it('looks at once, at young rows too, when a writer wakes it', async () => {
    const { runtime, cache, relay, add } = set();
    relay.start();
    await runtime.advance(50);
    add('1');
    relay.wake();
    await runtime.advance(20);
    expect(cache.sent).toHaveLength(1);
    await relay.stop();
  });

  it('goes on without a pause while there is work', async () => {
    const { runtime, outbox, relay, add } = set();
    for (let key = 0; key < 1_200; key += 1) add(String(key));
    runtime.stall(2_000);
    relay.start();
    await runtime.settle();
    expect(outbox.rows).toEqual([]);
    await relay.stop();
  });

  it('does not look anew for each few rows where they fall due one after the other', async () => {
    const { runtime, outbox, relay, add } = set();
    outbox.takeMs = 5;
    relay.start();
    for (let row = 0; row < 2_000; row += 1) {
      add(String(row));
      await runtime.advance(1);
    }
    await runtime.advance(1_500);
    expect(outbox.takes).toBeLessThan(12);
    expect(outbox.rows).toEqual([]);
    await relay.stop();
  });

  it('waits while the cache is away, says so, loses nothing and counts no attempt (W5, X3)', async () => {
    const { runtime, outbox, cache, relay, add } = set();
    add('1');
    cache.available = false;
    relay.start();
    await runtime.advance(60_000);
    expect(outbox.takes).toBe(0);
    expect((await relay.status()).blocked).toContain('cache');
    cache.available = true;
    await runtime.advance(1_500);
    expect(outbox.rows).toEqual([]);
    expect((await relay.status()).blocked).toBeNull();
    await relay.stop();
  });

  it('counts no attempt when the cache goes away in the middle of a batch (X3)', async () => {
    const { runtime, outbox, cache, relay, add } = set();
    add('1');
    const invalidateMany = cache.invalidateMany.bind(cache);
    cache.invalidateMany = () => Promise.reject(new LockstepError('CACHE_UNAVAILABLE', 'away'));
    relay.start();
    await runtime.advance(30_000);
    expect(outbox.rows).toMatchObject([{ attempts: 0 }]);
    cache.invalidateMany = invalidateMany;
    await runtime.advance(3_000);
    expect(outbox.rows).toEqual([]);
    expect(outbox.dead).toEqual([]);
    await relay.stop();
  });

  it('gives up a row whose key always fails, and relays the others meanwhile', async () => {
    const { runtime, outbox, cache, relay, add, events } = set();
    cache.failing.add('account:1');
    add('1');
    add('2');
    relay.start();
    await runtime.advance(3_000);
    expect(outbox.rows.map((row) => row.keyText)).toEqual(['1']);
    await runtime.advanceUntil(() => outbox.dead.length > 0, 3_600_000, 1_000);
    expect(outbox.dead[0]).toContain('WRONGTYPE');
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'outbox-dead-lettered', key: '1' }),
    );
    await relay.stop();
  });

  it('survives the database being away and goes on when it is back', async () => {
    const { runtime, outbox, cache, relay, add } = set();
    outbox.isAway = true;
    add('1');
    relay.start();
    await runtime.advance(20_000);
    expect(await relay.status()).toMatchObject({ blocked: 'the database does not answer' });
    expect(outbox.takes).toBeLessThan(60);
    outbox.isAway = false;
    await runtime.advance(2_000);
    expect(cache.sent).toHaveLength(1);
    await relay.stop();
  });

  it('stops without waiting for its next pass and leaves no timer', async () => {
    const { runtime, relay } = set();
    relay.start();
    await runtime.advance(100);
    await relay.stop();
    expect(runtime.pendingTimers).toBe(0);
  });
});
