import type { AuditEvent, LiveEvents, MetricsPoint, NodeStatus } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { judge, type Seen } from './verdict.ts';

const node = (
  name: string,
  kind: NodeStatus['kind'],
  status: NodeStatus['status'] = 'up',
): NodeStatus => ({
  name,
  kind,
  status,
  rttMs: 1,
  sinceMs: 0,
  detail: null,
});
const nodes = (...list: NodeStatus[]): LiveEvents['nodes'] => ({ atMs: 0, nodes: list });
const outbox = (change: Partial<LiveEvents['outbox']>): LiveEvents['outbox'] => ({
  atMs: 0,
  depth: 0,
  oldestMs: null,
  deadLetters: 0,
  relayedTotal: 0,
  blocked: null,
  ...change,
});
const audit = (change: Partial<AuditEvent>): AuditEvent => ({
  atMs: 0,
  consistency: [],
  runs: [],
  next: [],
  openFindings: 0,
  ...change,
});
const well = nodes(node('db', 'database'), node('cache', 'cache'), node('lock-1', 'lock'));
const point = (change: Partial<MetricsPoint>): MetricsPoint => ({
  atMs: 0,
  writesPerSecond: 50,
  readsPerSecond: 50,
  errorsPerSecond: 0,
  hitRate: 1,
  writeP50Ms: 1,
  writeP99Ms: 1,
  readP50Ms: 1,
  readP99Ms: 1,
  lockWaitP99Ms: 1,
  locksHeld: 0,
  locksWaiting: 0,
  outboxDepth: 0,
  consistency: 1,
  ...change,
});
const levelOf = (seen: Seen): string => judge(seen, []).level;

describe('the verdict', () => {
  it('does not claim anything before the first report', () => {
    expect(levelOf({})).toBe('unknown');
  });
  it('says that all is in step', () => {
    expect(judge({ nodes: well }, [])).toMatchObject({ level: 'ok', headline: 'All in step' });
  });
  it('asks to act when the cache or the database is down, and says what is safe', () => {
    const cache = judge({ nodes: nodes(node('cache', 'cache', 'down')) }, []);
    expect(cache.level).toBe('act');
    expect(cache.detail).toContain('outbox');
    expect(levelOf({ nodes: nodes(node('db', 'database', 'down')) })).toBe('act');
  });
  it('asks to act when a part of the cache is away, without saying that all of it is', () => {
    const cache = { ...node('cache', 'cache'), detail: '1 of 3 masters cannot be used.' };
    const [remark] = judge({ nodes: nodes(cache) }, []).remarks;
    expect(remark).toMatchObject({ level: 'act', what: 'A part of the cache cannot be used' });
    expect(remark?.safe).toMatch(/^1 of 3 masters cannot be used\. Start its servers again/);
  });
  it('says of which group of lock nodes no majority is left', () => {
    const lock = (id: number, group: number, isDown = false): NodeStatus => ({
      ...node(`lock-${id}`, 'lock', isDown ? 'down' : 'up'),
      group,
    });
    const { remarks } = judge(
      {
        nodes: nodes(
          ...[lock(1, 1), lock(2, 1, true), lock(3, 1)],
          ...[lock(4, 2, true), lock(5, 2, true), lock(6, 2)],
        ),
      },
      [],
    );
    expect(remarks.map(({ level, what }) => [level, what])).toEqual([
      ['act', 'No majority of lock nodes of group 2: 1 of 3 answer'],
      ['watch', '2 of 3 lock nodes of group 1 answer'],
    ]);
  });

  it('only watches while a majority of lock nodes is left', () => {
    const locks = (down: number): LiveEvents['nodes'] =>
      nodes(...[0, 1, 2].map((i) => node(`lock-${i}`, 'lock', i < down ? 'down' : 'up')));
    expect(levelOf({ nodes: locks(0) })).toBe('ok');
    expect(levelOf({ nodes: locks(1) })).toBe('watch');
    expect(levelOf({ nodes: locks(2) })).toBe('act');
  });
  it('asks for a decision on dead letters, and names a blocked relay before them', () => {
    expect(levelOf({ nodes: well, outbox: outbox({ deadLetters: 1 }) })).toBe('act');
    const both = judge(
      { nodes: well, outbox: outbox({ deadLetters: 1, blocked: 'No cache' }) },
      [],
    );
    expect(both.headline).toContain('blocked');
    expect(both.remarks).toHaveLength(2);
  });
  it('watches an outbox that falls behind', () => {
    expect(levelOf({ nodes: well, outbox: outbox({ depth: 9, oldestMs: 20_000 }) })).toBe('watch');
    expect(levelOf({ nodes: well, outbox: outbox({ depth: 9, oldestMs: 200 }) })).toBe('ok');
  });
  it('asks to act on drift that nobody repaired, and tells of drift that was', () => {
    expect(levelOf({ nodes: well, audit: audit({ openFindings: 1 }) })).toBe('act');
    const windows = [{ windowMs: 300_000, samples: 10, drift: 1, share: 0.9, driftAtMost: 0.4 }];
    const repaired = judge(
      { nodes: well, audit: audit({ consistency: [{ resource: 'a', windows }] }) },
      [],
    );
    expect(repaired).toMatchObject({ level: 'watch' });
    expect(repaired.headline).toContain('repaired');
  });
  it('judges rates over the last half minute, not over one second', () => {
    const seen = { nodes: well };
    const calm = Array.from({ length: 29 }, () => point({}));
    expect(judge(seen, [...calm, point({ errorsPerSecond: 20 })]).level).toBe('ok');
    expect(judge(seen, [point({ errorsPerSecond: 20 })]).headline).toBe(
      '16% of requests end in an error',
    );
    expect(judge(seen, [point({ lockWaitP99Ms: 4000 })]).level).toBe('watch');
  });
  it('puts what needs somebody first', () => {
    const verdict = judge(
      { nodes: nodes(node('cache', 'cache', 'slow')), audit: audit({ openFindings: 2 }) },
      [],
    );
    expect(verdict.headline).toBe('2 keys disagree with the database');
    expect(verdict.remarks.map((remark) => remark.level)).toEqual(['act', 'watch']);
  });
});
