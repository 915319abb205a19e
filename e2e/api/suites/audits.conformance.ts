import { DRIFT_CLASSES, type AuditReport, type DriftClass, type Finding } from '@lockstep/shared';
import { describe, expect, test } from 'vitest';
import { cell } from '../../support/api-client.ts';
import { makeDrift } from '../../support/drift.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

const ROWS = {
  ledger: { table: 'ledgers', row: { amount: 5, memo: 'true' } },
  note: { table: 'notes', row: { text: 'true' } },
  memo: { table: 'memos', row: { text: 'true' } },
} as const;
type AuditedResource = keyof typeof ROWS;

export function describeAudits(bed: TestBed): void {
  const audit = async (resource: string, repair?: boolean): Promise<AuditReport> => {
    const body = { resource, sample: 400, ...(repair === undefined ? {} : { repair }) };
    const answer = await bed.admin.post('/v1/ops/audits', body);
    expect(answer.status).toBe(200);
    return JSON.parse(answer.text) as AuditReport;
  };

  const findingsOf = async (resource: string, id: number): Promise<Finding[]> => {
    const answer = await bed.admin.call('GET', `/v1/ops/findings?resource=${resource}&limit=100`);
    const { findings } = JSON.parse(answer.text) as { findings: Finding[] };
    return findings.filter((finding) => finding.key === String(id));
  };

  /** A row that is cached and right, and then drifts. */
  const drift = async (resource: AuditedResource, driftClass: DriftClass): Promise<number> => {
    const id = newId();
    const { table, row } = ROWS[resource];
    await bed.api.put(resource, id, row);
    await bed.api.get(resource, id);
    const cached = await bed.api.get(resource, id);
    expect(cached.body.source).toBe('cache');
    await makeDrift(bed.behind, driftClass, {
      cacheKey: `${resource}:${id}`,
      version: cached.body.version ?? 0,
      row: cached.body.value ?? {},
      removeRow: () => bed.behind.sql(`DELETE FROM ${table} WHERE id = ?`, [id]),
    });
    return id;
  };

  /** A sweep over the cache is random, so one audit need not meet every entry: audits go on until this key is found. */
  const auditUntilFound = (
    resource: AuditedResource,
    id: number,
    repair?: boolean,
  ): Promise<Finding> =>
    eventually(
      async () => {
        await audit(resource, repair);
        const [finding] = await findingsOf(resource, id);
        if (finding === undefined) throw new Error(`No audit has found ${resource} ${id}`);
        return finding;
      },
      { withinMs: 90_000 },
    );

  describe('an audit', () => {
    describe.each(['ledger', 'note'] as const)('of %s', (resource) => {
      test.each(DRIFT_CLASSES)('finds %s drift and repairs it', async (driftClass) => {
        const id = await drift(resource, driftClass);
        const finding = await auditUntilFound(resource, id, true);
        expect(finding).toMatchObject({ class: driftClass, status: 'repaired' });
        expect(finding.repair).toMatchObject({
          rule: resource === 'ledger' ? 'refresh' : 'delete',
          error: null,
        });

        const read = await bed.api.get(resource, id);
        if (driftClass === 'orphan') expectProblem(read, 'NOT_FOUND');
        else expect(read.body.value).toMatchObject(ROWS[resource].row);
        const primary = await bed.api.get(resource, id, '?consistency=primary');
        expect(read.body.value).toEqual(primary.body.value);
        expect(await bed.behind.cache.pttl(`${resource}:${id}`)).not.toBe(-1);
      });
    });

    test('keeps both sides of what it found', async () => {
      const id = await drift('note', 'stale');
      const finding = await auditUntilFound('note', id, false);
      expect(finding).toMatchObject({
        resource: 'note',
        cacheKey: `note:${id}`,
        class: 'stale',
        status: 'open',
        database: { row: { text: 'true' } },
        cache: { row: { text: 'forged' } },
        repair: null,
      });
      expect((await bed.api.get('note', id)).body.value).toMatchObject({ text: 'forged' });
      const repaired = await bed.admin.post(`/v1/ops/findings/${finding.id}/repair`, {
        rule: 'refresh',
      });
      expect(repaired.status).toBe(200);
      expect((await bed.api.get('note', id)).body.value).toMatchObject({ text: 'true' });
    });

    test('changes nothing with the rule report', async () => {
      const id = await drift('memo', 'stale');
      const finding = await auditUntilFound('memo', id);
      expect(finding.status).toBe('open');
      expect((await bed.api.get('memo', id)).body.value).toMatchObject({ text: 'forged' });
    });

    test('finds a row that another program changed', async () => {
      const id = newId();
      await bed.api.put('ledger', id, { amount: 1 });
      await bed.behind.sql('UPDATE ledgers SET amount = 2 WHERE id = ?', [id]);
      const finding = await auditUntilFound('ledger', id, true);
      expect(finding).toMatchObject({ class: 'stale', status: 'repaired' });
      expect(cell(await bed.api.get('ledger', id), 'amount')).toBe('2');
    });

    test('does not report a key that is only being written as drift (X4)', async () => {
      const ids = Array.from({ length: 10 }, newId);
      for (const id of ids) await bed.api.put('ledger', id, { amount: 0 });
      let writing = true;
      const write = async (id: number): Promise<void> => {
        while (writing) await bed.api.patch('ledger', id, { $inc: { amount: 1 } });
      };
      const writers = ids.map(write);
      try {
        for (let run = 0; run < 3; run++) {
          await audit('ledger', false);
          for (const id of ids) expect(await findingsOf('ledger', id)).toEqual([]);
        }
      } finally {
        writing = false;
        await Promise.all(writers);
      }
    });

    test('answers as the contract says, and its runs are listed', async () => {
      const report = await audit('ledger', true);
      expect(report).toMatchObject({ resource: 'ledger', failed: 0 });
      expect(report.repaired).toEqual(expect.any(Number));
      expect(Object.keys(report.drift).toSorted()).toEqual(DRIFT_CLASSES.toSorted());
      expect(report.sampled).toBeGreaterThan(0);
      const runs = await bed.admin.call('GET', '/v1/ops/audits?resource=ledger&limit=5');
      expect(JSON.parse(runs.text)).toMatchObject({
        runs: expect.arrayContaining([
          expect.objectContaining({ id: report.runId, status: 'done' }),
        ]) as unknown,
      });
    });

    test('of an unknown resource is UNKNOWN_RESOURCE', async () => {
      expectProblem(
        await bed.admin.post('/v1/ops/audits', { resource: 'nothing' }),
        'UNKNOWN_RESOURCE',
      );
    });
  });
}
