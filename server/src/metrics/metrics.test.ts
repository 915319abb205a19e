import { describe, expect, it } from 'vitest';
import { makeKey, type TelemetryEvent } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { createMetrics, type Metrics } from './index.ts';
import { read, write } from './testing/events.ts';

const account = resource();
const key = makeKey(account, ['1']);

function metricsOf(events: readonly TelemetryEvent[] = []): Metrics {
  const runtime = manualRuntime();
  const metrics = createMetrics({
    instance: 'a',
    version: '1.2.3',
    runtime,
    processMetrics: false,
  });
  for (const event of events) metrics.telemetry.emit(event);
  return metrics;
}

/** One event of each kind. */
const EVERY_EVENT: TelemetryEvent[] = [
  write(key),
  write(key, { outcome: 'not_applied', code: 'FENCED', phases: { queueMs: 1 } }),
  write(key, { replayed: true }),
  read(key),
  read(key, { source: null, code: 'DATABASE_UNAVAILABLE' }),
  { type: 'fill', key, result: 'refused' },
  { type: 'lock-acquired', key, waitMs: 3, attempts: 2, contended: true },
  { type: 'lock-released', key, heldMs: 5 },
  { type: 'lock-lost', key, how: 'expired', heldMs: 8_000 },
  { type: 'lock-failed', key, code: 'LOCK_TIMEOUT', waitMs: 5_000, attempts: 9 },
  { type: 'write-fenced', key, fence: 1, storedFence: 2 },
  { type: 'intent-recovered', key, by: 'reader', version: 4 },
  { type: 'invalidated', key, by: 'api', version: 4 },
  { type: 'outbox-relayed', count: 3, delayMs: 40 },
  { type: 'outbox-dead-lettered', resource: 'account', key: '1', error: 'no' },
  { type: 'guard', step: 'taken' },
  { type: 'guard', step: 'rolled_back' },
  { type: 'changes-captured', resource: account, count: 7 },
  { type: 'pruned', table: 'lockstep_idempotency', rows: 2_000 },
  { type: 'audit-sampled', resource: account, count: 100, drift: 1 },
  { type: 'drift-found', key, class: 'negative-stale' },
  { type: 'drift-repaired', key, class: 'negative-stale', ok: true },
];

describe('Prometheus metrics', () => {
  it('counts every kind of event under its own name', async () => {
    const text = await metricsOf(EVERY_EVENT).text();
    for (const line of [
      'lockstep_writes_total{resource="account",op="put",outcome="applied",code="",policy="strict"} 2',
      'lockstep_writes_total{resource="account",op="put",outcome="not_applied",code="FENCED",policy="strict"} 1',
      'lockstep_write_replays_total{resource="account"} 1',
      'lockstep_write_duration_seconds_count{resource="account",policy="strict"} 3',
      'lockstep_write_phase_duration_seconds_count{resource="account",policy="strict",phase="transaction"} 2',
      'lockstep_write_phase_duration_seconds_count{resource="account",policy="strict",phase="queue"} 3',
      'lockstep_reads_total{resource="account",source="none",code="DATABASE_UNAVAILABLE"} 1',
      'lockstep_cache_hits_total{resource="account"} 1',
      'lockstep_cache_fills_total{resource="account",result="refused"} 1',
      'lockstep_locks_acquired_total{resource="account",contended="true"} 1',
      'lockstep_lock_attempts_total{resource="account"} 11',
      'lockstep_lock_failures_total{resource="account",code="LOCK_TIMEOUT"} 1',
      'lockstep_locks_lost_total{resource="account",how="expired"} 1',
      'lockstep_lock_wait_seconds_sum{resource="account"} 0.003',
      'lockstep_writes_fenced_total{resource="account"} 1',
      'lockstep_intents_recovered_total{resource="account",by="reader"} 1',
      'lockstep_invalidations_total{resource="account",by="api"} 1',
      'lockstep_outbox_relayed_total 3',
      'lockstep_outbox_dead_lettered_total{resource="account"} 1',
      'lockstep_guards_total{step="taken"} 1',
      'lockstep_guards_total{step="rolled_back"} 1',
      'lockstep_guards_total{step="lost"} 0',
      'lockstep_pruned_rows_total{table="lockstep_idempotency"} 2000',
      'lockstep_audit_samples_total{resource="account"} 100',
      'lockstep_audit_drift_total{resource="account",class="negative-stale"} 1',
      'lockstep_audit_repairs_total{resource="account",class="negative-stale",result="repaired"} 1',
      'lockstep_build_info{instance="a",version="1.2.3"} 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  it('counts the writes of a resource by the policy that they went by, also when it is switched back', async () => {
    const switched = makeKey(resource({ policy: 'delete-after-write' }), ['1']);
    const text = await metricsOf([write(key), write(switched), write(switched), write(key)]).text();
    const series = (name: string): string[] =>
      [
        ...text.matchAll(new RegExp(`^lockstep_${name}\\{.*policy="([^"]+)".*\\} (\\d+)$`, 'gm')),
      ].map(([, policy, count]) => `${policy} ${count}`);
    for (const name of ['writes_total', 'write_duration_seconds_count']) {
      expect(series(name)).toEqual(['strict 2', 'delete-after-write 2']);
    }
    expect(series('write_phase_duration_seconds_count')).toContain('delete-after-write 2');
  });

  it('counts reads as hits and misses by the policy that the resource has then', async () => {
    const uncached = makeKey(resource({ policy: 'none' }), ['1']);
    const text = await metricsOf([read(uncached), read(key), read(uncached)]).text();
    expect(text).toContain('lockstep_cache_hits_total{resource="account"} 1\n');
    expect(text).not.toContain('lockstep_cache_misses_total{');
  });

  it('never labels a metric with a key', async () => {
    const secret = makeKey(resource({ keyColumns: account.columns.slice(1, 2) }), ['very-secret']);
    const events = EVERY_EVENT.map((event) =>
      'key' in event && typeof event.key !== 'string' ? { ...event, key: secret } : event,
    );
    expect(await metricsOf(events as TelemetryEvent[]).text()).not.toContain('secret');
  });

  it('writes cumulative buckets that end at the count', async () => {
    const text = await metricsOf([
      write(key, { totalMs: 0.2 }),
      write(key, { totalMs: 7 }),
      write(key, { totalMs: 60_000 }),
    ]).text();
    const buckets = [...text.matchAll(/write_duration_seconds_bucket\{le="([^"]+)".*\} (\d+)/g)];
    expect(buckets.map(([, le, count]) => [le, Number(count)]).slice(0, 5)).toEqual([
      ['0.0005', 1],
      ['0.001', 1],
      ['0.0025', 1],
      ['0.005', 1],
      ['0.01', 2],
    ]);
    expect(buckets.at(-1)?.slice(1)).toEqual(['+Inf', '3']);
  });

  it('names every metric by convention', async () => {
    const text = await metricsOf(EVERY_EVENT).text();
    for (const [, name, kind] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      expect(name).toMatch(/^lockstep_[a-z_]+$/);
      if (kind === 'counter') expect(name).toMatch(/_total$/);
      if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });

  it('answers with what it knows when a source of gauges fails', async () => {
    const metrics = metricsOf();
    metrics.observe({
      locks: () => ({ held: [1, 2], waiting: [{ waiting: 3 }] }),
      leases: () => new Map(Object.entries({ account: 2, order: 0 })),
      outbox: () => Promise.reject(new Error('away')),
      audit: () => ({
        openFindings: 4,
        consistency: [
          {
            resource: 'account',
            windows: [{ windowMs: 60_000, samples: 2, drift: 1, share: 0.5, driftAtMost: 0.9 }],
          },
        ],
      }),
    });
    const text = await metrics.text();
    expect(text).toContain('lockstep_locks_held 2\n');
    expect(text).toContain('lockstep_lock_waiters 3\n');
    expect(text).toContain('lockstep_leases{resource="account"} 2\n');
    expect(text).toContain('lockstep_leases{resource="order"} 0\n');
    expect(text).toContain('lockstep_audit_open_findings 4\n');
    expect(text).toContain(
      'lockstep_consistency_ratio{resource="account",window_seconds="60"} 0.5',
    );
    expect(text).not.toMatch(/^lockstep_outbox_depth /m);
  });
});

describe('the history of a key', () => {
  it('tells the last events in words, newest first, and counts equal reads together', () => {
    const metrics = metricsOf([
      write(key),
      read(key),
      read(key),
      read(key),
      ...EVERY_EVENT.slice(8, 10),
    ]);
    expect(metrics.keyEvents(key).map(({ type, detail }) => `${type}: ${detail}`)).toEqual([
      'lock not acquired: LOCK_TIMEOUT after 5000 ms, 9 attempt(s)',
      'lock expired: after 8000 ms',
      'read: from cache, 3 in a row',
      'write: put, version 3, fence 7, cache fresh, 4.0 ms',
    ]);
  });

  it('keeps 20 events of a key and 2,000 keys', () => {
    const metrics = metricsOf();
    for (let version = 0; version < 50; version++) metrics.telemetry.emit(write(key, { version }));
    expect(metrics.keyEvents(key)).toHaveLength(20);
    for (let id = 2; id < 2_100; id++) {
      metrics.telemetry.emit(write(makeKey(account, [String(id)])));
    }
    expect(metrics.keyEvents(key)).toEqual([]);
    expect(metrics.keyEvents(makeKey(account, ['2099']))).toHaveLength(1);
  });
});

describe('hot keys', () => {
  it('answers the keys of one resource that are used most, and forgets old ones', async () => {
    const runtime = manualRuntime();
    const metrics = createMetrics({ instance: 'a', version: '1', runtime, processMetrics: false });
    const use = (id: number, times: number): void => {
      const used = makeKey(account, [String(id)]);
      for (let count = 0; count < times; count++) metrics.telemetry.emit(read(used));
    };
    use(1, 500);
    use(2, 1_000);
    use(3, 50);
    expect(metrics.hotKeys(account, 2).map(({ text }) => text)).toEqual(['2', '1']);
    expect(metrics.hotKeys(resource({ name: 'other' }), 2)).toEqual([]);
    await runtime.advance(130_000);
    use(4, 100);
    expect(metrics.hotKeys(account, 1).map(({ text }) => text)).toEqual(['2']);
    await runtime.advance(130_000);
    use(5, 100);
    expect(
      metrics
        .hotKeys(account, 9)
        .map(({ text }) => text)
        .sort(),
    ).toEqual(['4', '5']);
  });
});
