import { writeFileSync } from 'node:fs';
import type { ReloadReport } from '@lockstep/shared';
import { describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop } from '../support/shop.ts';
import { describeDerivedAudits } from './derived/audits.conformance.ts';
import { describeBeside } from './derived/beside.conformance.ts';
import { describeDerived } from './derived/derived.conformance.ts';
import { DERIVED_SQL, derivedShop, newTeam, Teams, valueOf } from './derived/derived-shop.ts';

describe('derived entries on the embedded PostgreSQL', () => {
  const bed = useInstance(() => ({
    config: embeddedShop(derivedShop('pg')),
    files: { 'shop.sql': DERIVED_SQL },
  }));
  describeDerived(bed, 'pg');
  describeDerivedAudits(bed);
  describeBeside(bed, 'pg', {
    database: () => bed.instance.killServer('database'),
    cache: () => bed.instance.killServer('cache'),
  });

  describe('a reload', () => {
    const reload = (team: object) => {
      const { resources, ...rest } = derivedShop('pg');
      const changed = {
        ...rest,
        resources: { ...resources, team: { ...resources.team, ...team } },
      };
      writeFileSync(bed.instance.configPath, JSON.stringify(embeddedShop(changed)));
      return bed.admin.post('/v1/ops/reload', {});
    };

    test('with another query serves no answer of the old one (D9)', async () => {
      const teams = new Teams(bed);
      const team = newTeam();
      const id = await teams.insert(team, 'a');
      await teams.current([team]);
      const former = await bed.behind.cache.get(`team:${team}`);
      const query = 'select id, upper(name) as name from members where team = {team} order by id';
      const answer = await reload({ query });
      expect(JSON.parse(answer.text) as ReloadReport).toMatchObject({
        switched: ['team'],
        settled: true,
      });
      expect((await teams.read(team)).names).toEqual(['A']);
      expect(await teams.cached(team)).toEqual(['A']);
      // As a coordinator leaves it that ran the old query before it heard of the switch, and fills only now.
      await bed.behind.cache.set(`team:${team}`, former ?? '', 'PX', 60_000);
      expect((await teams.read(team)).names).toEqual(['A']);
      await reload({});
      expect(valueOf(await bed.api.get('team', team))).toEqual([{ id, name: 'a' }]);
    });

    test('with a query that the database rejects changes nothing (D3, D9)', async () => {
      const answer = await reload({ query: 'select nothing from members where team = {team}' });
      expectProblem(answer, 'INVALID');
      expect(answer.body.errors?.map(({ path }) => path)).toEqual(['resources.team.query']);
      expect((await reload({})).status).toBe(200);
    });
  });
});
