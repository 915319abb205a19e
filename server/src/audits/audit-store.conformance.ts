import { findingFilters } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import type { AuditStore, NewFinding } from './port.ts';

/** What every audit store does. Each case uses resources of its own. */
export function describeAuditStore(name: string, open: () => AuditStore): void {
  describe(`${name} is an audit store`, () => {
    it('keeps runs, newest first, with all that they counted', async () => {
      const store = open();
      const first = await begin(store, 'runs');
      await store.endRun(first, counts({ sampled: 500, stale: 2, 'no-ttl': 1 }), null);
      const second = await begin(store, 'runs');
      await store.endRun(second, counts({ sampled: 7 }), 'the cache does not answer');
      const [newest, oldest] = await store.runs({ resource: 'runs', limit: 10 });
      expect(newest).toMatchObject({ id: second, status: 'failed', sampled: 7 });
      expect(newest?.error).toBe('the cache does not answer');
      expect(oldest).toMatchObject({
        id: first,
        resource: 'runs',
        trigger: 'demand',
        status: 'done',
        sampled: 500,
        drift: { stale: 2, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 1 },
        repaired: 3,
        failed: 1,
        repair: 'refresh',
        error: null,
      });
      expect(oldest?.endedAtMs).toBeGreaterThanOrEqual(oldest?.startedAtMs ?? Infinity);
      expect(await store.runs({ resource: 'runs', limit: 1 })).toHaveLength(1);
      expect((await store.runs({ limit: 100 })).length).toBeGreaterThanOrEqual(2);
    });

    it('counts only runs that are done', async () => {
      const store = open();
      await store.endRun(await begin(store, 'counts'), counts({ sampled: 10, orphan: 1 }), null);
      await store.endRun(await begin(store, 'counts'), counts({ sampled: 20 }), 'failed');
      await begin(store, 'counts');
      const found = (await store.recentCounts()).filter(({ resource }) => resource === 'counts');
      expect(found).toMatchObject([{ sampled: 10, drift: 1 }]);
      expect(found[0]?.agoMs).toBeLessThan(60_000);
    });

    it('ends a run as failed whose instance has died, when the next one begins', async () => {
      const store = open();
      const died = await begin(store, 'died');
      await begin(store, 'died');
      const runs = await store.runs({ resource: 'died', limit: 10 });
      expect(runs.map(({ status }) => status)).toEqual(['running', 'failed']);
      // The one that was only thought dead changes nothing any more.
      await store.endRun(died, counts({ sampled: 1 }), null);
      expect((await store.runs({ resource: 'died', limit: 10 }))[1]?.status).toBe('failed');
    });

    it('keeps findings as they were found, and what became of them', async () => {
      const store = open();
      const id = await store.addFinding(finding('kept', 'ä,%2C\n"x" '));
      expect(await store.findFinding(id)).toMatchObject({
        ...finding('kept', 'ä,%2C\n"x" '),
        id,
        status: 'open',
        repair: null,
      });
      await store.resolveFinding(id, 'failed', { rule: 'delete', error: 'LOCK_TIMEOUT' });
      const resolved = await store.findFinding(id);
      expect(resolved).toMatchObject({
        status: 'failed',
        repair: { rule: 'delete', error: 'LOCK_TIMEOUT' },
      });
      expect(resolved?.repair?.atMs).toBeGreaterThanOrEqual(resolved?.foundAtMs ?? Infinity);
      await store.resolveFinding(id, 'superseded', null);
      expect(await store.findFinding(id)).toMatchObject({
        status: 'superseded',
        repair: { rule: 'delete' },
      });
    });

    it('knows no finding of an id that was never given', async () => {
      const store = open();
      expect(await store.findFinding('999999999')).toBeNull();
      expect(await store.findFinding("1' or '1'='1")).toBeNull();
    });

    it('keeps one open finding of a key, and tells keys apart exactly', async () => {
      const store = open();
      const first = await store.addFinding(finding('again', 'a'));
      const other = await store.addFinding(finding('again', 'a '));
      const upper = await store.addFinding(finding('again', 'A'));
      const second = await store.addFinding(finding('again', 'a'));
      const statusOf = async (id: string) => (await store.findFinding(id))?.status;
      expect(await statusOf(first)).toBe('superseded');
      expect([await statusOf(other), await statusOf(upper)]).toEqual(['open', 'open']);
      expect(await store.openKeys('again', 10)).toEqual([
        { id: second, keyText: 'a' },
        { id: upper, keyText: 'A' },
        { id: other, keyText: 'a ' },
      ]);
      expect(await store.openKeys('again', 1)).toHaveLength(1);
      expect(await store.countOpen()).toBeGreaterThanOrEqual(3);
    });

    it('lists findings by filter, page by page, newest first', async () => {
      const store = open();
      const ids: string[] = [];
      for (let key = 0; key < 5; key += 1) {
        ids.push(await store.addFinding(finding('listed', String(key))));
      }
      await store.resolveFinding(ids[1] ?? '', 'repaired', { rule: 'refresh', error: null });
      const filter = { resource: 'listed', limit: 2 };
      const first = await store.findings(filter);
      expect(first.findings.map(({ id }) => id)).toEqual([ids[4], ids[3]]);
      const second = await store.findings({ ...filter, before: first.next ?? '' });
      const third = await store.findings({ ...filter, before: second.next ?? '' });
      expect([...second.findings, ...third.findings].map(({ id }) => id)).toEqual([
        ids[2],
        ids[1],
        ids[0],
      ]);
      expect(third.next).toBeNull();
      const repaired = await store.findings({ ...filter, status: 'repaired', class: 'stale' });
      expect(repaired.findings.map(({ id }) => id)).toEqual([ids[1]]);
      expect((await store.findings({ ...filter, class: 'orphan' })).findings).toEqual([]);
      expect((await store.findings({ ...filter, run: '1' })).findings).toHaveLength(2);
      expect((await store.findings({ ...filter, run: 'none' })).findings).toEqual([]);
    });

    it.each(findingFilters)('lists only findings of one %s', async (name, { field, values }) => {
      const store = open();
      const having = (index: number) =>
        values === undefined || field === 'status' ? {} : { [field]: values[index] };
      const one = { ...finding(`by-${name}`, 'a'), runId: '41', ...having(0) };
      const id = await store.addFinding(one);
      await store.addFinding({ ...finding('other', 'b'), runId: '42', ...having(1) });
      await store.resolveFinding(id, 'repaired', { rule: 'delete', error: null });
      const value = (await store.findFinding(id))?.[field];
      const { findings } = await store.findings({ [name]: value, limit: 100 });
      expect(findings.map((found) => found.id)).toContain(id);
      expect(new Set(findings.map((found) => found[field]))).toEqual(new Set([value]));
    });

    it('keeps no more findings than the bound, the newest ones, and every run of the last hour', async () => {
      const store = open();
      const run = await begin(store, 'pruned');
      await store.endRun(run, counts({}), null);
      const ids: string[] = [];
      for (let key = 0; key < 5; key += 1) {
        ids.push(await store.addFinding(finding('pruned', String(key))));
      }
      await store.prune({ findings: 3, runs: 0 });
      const left = await store.findings({ limit: 100 });
      expect(left.findings.map(({ id }) => id)).toEqual([ids[4], ids[3], ids[2]]);
      expect(await store.runs({ resource: 'pruned', limit: 1 })).toHaveLength(1);
    });
  });
}

const begin = (store: AuditStore, resource: string): Promise<string> =>
  store.beginRun({ resource, trigger: 'demand', repair: 'refresh' });

const counts = (some: Record<string, number>) => ({
  sampled: some.sampled ?? 0,
  drift: {
    stale: some.stale ?? 0,
    orphan: some.orphan ?? 0,
    'negative-stale': 0,
    corrupt: 0,
    'no-ttl': some['no-ttl'] ?? 0,
  },
  repaired: 3,
  failed: 1,
});

function finding(resource: string, key: string): NewFinding {
  return {
    runId: '1',
    resource,
    key,
    cacheKey: `${resource}:${key}`,
    class: 'stale',
    sampledFrom: 'hot',
    database: { version: 4, row: { id: 1, note: 'a\0b\ud83d\ude00' } },
    cache: { version: 3, row: null, ageMs: 12, ttlMs: null, text: null },
  };
}
