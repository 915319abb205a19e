import type { AuditReport, Finding } from '@lockstep/shared';
import { describe, expect, test } from 'vitest';
import { forgeValue } from '../../support/drift.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { newTeam, RECOVERY, Teams } from './derived-shop.ts';

/** Audits of derived entries. */
export function describeDerivedAudits(bed: TestBed): void {
  const teams = new Teams(bed);

  describe('an audit of a query', () => {
    test('runs it again, and finds and repairs what was forged in the cache (D8)', async () => {
      const team = newTeam();
      const id = await teams.insert(team, 'true');
      await teams.current([team]);
      await forgeValue(bed.behind, `team:${team}`, 0, { rows: [{ id, name: 'forged' }] });
      expect((await teams.read(team)).names).toEqual(['forged']);
      const finding = await eventually(async () => {
        const audit = await bed.admin.post('/v1/ops/audits', { resource: 'team', repair: true });
        expect(audit.status, audit.text).toBe(200);
        const { text } = await bed.admin.call('GET', '/v1/ops/findings?resource=team&limit=100');
        const { findings } = JSON.parse(text) as { findings: Finding[] };
        const found = findings.find(({ cacheKey }) => cacheKey === `team:${team}`);
        expect(found).toBeDefined();
        return found;
      }, RECOVERY);
      expect(finding).toMatchObject({
        class: 'stale',
        status: 'repaired',
        database: { row: { rows: [{ id, name: 'true' }] } },
        cache: { row: { rows: [{ id, name: 'forged' }] } },
      });
      expect((await teams.read(team)).names).toEqual(['true']);
    });

    test('finds nothing if nothing is wrong (D8)', async () => {
      for (let row = 0; row < 3; row += 1) {
        const team = newTeam();
        await teams.insert(team, 'a');
        await teams.current([team]);
      }
      const audit = await bed.admin.post('/v1/ops/audits', { resource: 'team' });
      const report = JSON.parse(audit.text) as AuditReport;
      expect(report.sampled).toBeGreaterThan(0);
      expect(
        Object.values(report.drift).every((count) => count === 0),
        audit.text,
      ).toBe(true);
    });

    test('is shown with its query and the tables that it reads (D8)', async () => {
      const { text } = await bed.admin.call('GET', '/v1/ops/resources');
      const { resources } = JSON.parse(text) as { resources: { resource: string }[] };
      expect(resources.find(({ resource }) => resource === 'team')).toMatchObject({
        table: '',
        query: expect.stringContaining('{team}') as unknown,
        dependsOn: ['members'],
        key: ['team'],
      });
      const team = newTeam();
      await teams.insert(team, 'a');
      await teams.current([team]);
      const path = `/v1/ops/keys/team/${encodeURIComponent(team)}`;
      const inspected = await bed.admin.call('GET', path);
      expect(JSON.parse(inspected.text)).toMatchObject({
        database: { version: 0, row: { rows: [{ name: 'a' }] } },
        cache: { state: 'value' },
      });
    });
  });
}
