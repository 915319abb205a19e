import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from '../domain/index.ts';
import { MemoryWorld, rowOf } from './testing/memory-world.ts';
import { audit, withEachClass } from './testing/run-audit.ts';

const ONE_OF_EACH = { stale: 1, orphan: 1, 'negative-stale': 1, corrupt: 1, 'no-ttl': 1 };

describe('an audit', () => {
  it('finds each class of drift, repairs it, and finds nothing the next time', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    const report = await audit(world);
    expect(report).toMatchObject({ sampled: 6, drift: ONE_OF_EACH, repaired: 5, failed: 0 });
    const again = await audit(world);
    expect(again).toMatchObject({ sampled: 6, repaired: 0 });
    expect(Object.values(again.drift)).toEqual([0, 0, 0, 0, 0]);
    expect(world.events.filter(({ type }) => type === 'drift-repaired')).toHaveLength(5);
  });

  it('keeps both sides of a finding', async () => {
    const world = new MemoryWorld();
    world.put(1, 3);
    world.rows.set('1', { version: 3, row: rowOf(1, '999') });
    const { runId } = await audit(world);
    const { findings } = await world.audits.findings({ limit: 10 });
    expect(findings).toMatchObject([
      {
        runId,
        resource: 'account',
        key: '1',
        cacheKey: 'account:1',
        class: 'stale',
        database: { version: 3, row: { balance: '999' } },
        cache: { version: 3, row: { balance: '5' }, ttlMs: 60_000, text: null },
        status: 'repaired',
        repair: { rule: 'refresh', error: null },
      },
    ]);
    expect(findings[0]?.cache.ageMs).toBeGreaterThanOrEqual(2_000);
  });

  it('only reports where the rule says so', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    const report = await audit(world, { repair: 'report' });
    expect(report).toMatchObject({ drift: ONE_OF_EACH, repaired: 0, failed: 0 });
    expect(world.calls).toEqual([]);
    expect((await world.audits.overview()).openFindings).toBe(5);
  });

  it('deletes without reading again where the rule is delete', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    await audit(world, { repair: 'delete' });
    expect(world.calls.filter((call) => call.startsWith('read'))).toEqual([]);
    expect([...world.cached.keys()]).toEqual(['account:6']);
  });

  it('repairs a strict resource under its lock only (X4)', async () => {
    const world = new MemoryWorld({ policy: 'strict' });
    withEachClass(world);
    await audit(world);
    expect(world.calls.toSorted()).toEqual(
      [1, 2, 3, 4, 5].map((id) => `recover ${id} audit value`),
    );
    world.rows.set('6', { version: 2, row: rowOf(6, '7') });
    await audit(world, { repair: 'delete' });
    expect(world.calls.at(-1)).toBe('recover 6 audit tombstone');
  });

  it('samples hot keys, table rows and entries, each key once', async () => {
    const world = new MemoryWorld();
    for (let id = 1; id <= 50; id += 1) world.put(id);
    world.hot.push('1', '2');
    for (const { row } of world.rows.values()) row.balance = '999';
    expect((await audit(world, { sample: 20, repair: 'report' })).sampled).toBe(20);
    const { findings } = await world.audits.findings({ limit: 100 });
    const from = (way: string) => findings.filter(({ sampledFrom }) => sampledFrom === way);
    expect(
      from('hot')
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(['1', '2']);
    expect(from('table')).toHaveLength(6);
    expect(from('cache')).toHaveLength(12);
  });

  it('leaves entries of other templates alone', async () => {
    const world = new MemoryWorld({ cacheKey: new CacheKeyTemplate('account:{id}') });
    world.cached.set('account:not-a-number', { text: 'x', ttlMs: null });
    expect(await audit(world)).toMatchObject({ sampled: 0 });
  });

  it('keeps only the beginning of what is too large', async () => {
    const world = new MemoryWorld();
    world.rows.set('1', { version: 1, row: { ...rowOf(1), owner: 'x'.repeat(100_000) } });
    world.cached.set('account:1', { text: 'y'.repeat(100_000), ttlMs: 1 });
    await audit(world);
    const { findings } = await world.audits.findings({ limit: 10 });
    expect(JSON.stringify(findings[0]).length).toBeLessThan(6_000);
  });
});

describe('a side that does not answer', () => {
  it.each(['cacheAway', 'databaseAway'] as const)(
    'fails the run with the reason and finds nothing (%s)',
    async (side) => {
      const world = new MemoryWorld();
      withEachClass(world);
      world.beforeRead = () => (world.state[side] = true);
      await expect(audit(world)).rejects.toMatchObject({ code: /UNAVAILABLE/ });
      expect((await world.audits.findings({ limit: 1 })).findings).toEqual([]);
      const [run] = await world.audits.runs({ limit: 1 });
      expect(run).toMatchObject({ status: 'failed', sampled: 0 });
      expect(run?.error).toContain('does not answer');
      const { consistency } = await world.audits.overview();
      expect(consistency[0]?.windows[0]).toMatchObject({ samples: 0, share: null });
    },
  );

  it('counts a repair that failed, with its error, and goes on', async () => {
    const world = new MemoryWorld({ policy: 'strict' });
    withEachClass(world);
    world.state.recoveryFails = true;
    expect(await audit(world)).toMatchObject({ repaired: 0, failed: 5 });
    const { findings } = await world.audits.findings({ limit: 1 });
    expect(findings[0]).toMatchObject({
      status: 'failed',
      repair: { error: 'The lock was not free.' },
    });
  });
});

describe('findings', () => {
  it('are repaired one by one', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    await audit(world, { repair: 'report' });
    const { findings } = await world.audits.findings({ limit: 10 });
    for (const { id } of findings) {
      expect(await world.audits.repairFinding(id, 'refresh')).toMatchObject({ status: 'repaired' });
    }
    expect((await audit(world)).drift).toEqual({
      stale: 0,
      orphan: 0,
      'negative-stale': 0,
      corrupt: 0,
      'no-ttl': 0,
    });
    expect((await world.audits.overview()).openFindings).toBe(0);
  });

  it('are superseded where the key has changed since (X4)', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    await audit(world, { repair: 'report' });
    const { findings } = await world.audits.findings({ limit: 10 });
    const stale = findings.find((finding) => finding.class === 'stale');
    const orphan = findings.find((finding) => finding.class === 'orphan');
    world.cacheValue(1, 1, rowOf(1, '999'));
    world.cacheValue(2, 7, rowOf(2, 'changed'));
    for (const finding of [stale, orphan]) {
      const repaired = await world.audits.repairFinding(finding?.id ?? '', 'delete');
      expect(repaired.status).toBe('superseded');
    }
    expect(world.calls).toEqual([]);
  });

  it('are closed by the next run where the key agrees by then', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    await audit(world, { repair: 'report' });
    for (let id = 1; id <= 6; id += 1) world.put(id, 2);
    await audit(world, { sample: 1 });
    expect((await world.audits.overview()).openFindings).toBe(0);
  });

  it('that are not there cannot be repaired', async () => {
    const { audits } = new MemoryWorld();
    await expect(audits.repairFinding('1', 'delete')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the overview', () => {
  it('shows consistency over the windows, and stays up while the database is away', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    await audit(world);
    const first = await world.audits.overview();
    expect(first.runs).toHaveLength(1);
    expect(first.consistency).toMatchObject([
      { resource: 'account', windows: [{ samples: 6, drift: 5 }, { samples: 6 }, { samples: 6 }] },
    ]);
    world.store.recentCounts = () => Promise.reject(new Error('away'));
    await world.runtime.advance(120_000);
    const later = await world.audits.overview();
    expect(later.consistency[0]?.windows).toMatchObject([{ samples: 0 }, { samples: 6 }, {}]);
    expect(later.runs).toHaveLength(1);
  });
});
