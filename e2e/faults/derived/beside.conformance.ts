import { beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId, type SqlClient } from '../../support/shop.ts';
import { newTeam, RECOVERY, Teams, untilWell, valueOf } from './derived-shop.ts';
import { TeamLoad } from './team-load.ts';

/** How servers are ended; each comes back by itself or before it resolves. */
export interface Blows {
  database(): Promise<void>;
  cache(): Promise<void>;
}

/** Derived entries of tables that other programs write too, and what becomes of them when servers die. */
export function describeBeside(bed: TestBed, client: SqlClient, blows: Blows): void {
  const teams = new Teams(bed);
  beforeEach(() => untilWell(bed));

  describe('a change by another program', () => {
    test('invalidates the answers that held the row before and that hold it now (D6)', async () => {
      const [from, to] = [newTeam(), newTeam()];
      await teams.current([from, to]);
      const id = await teams.insert(from, 'a');
      await teams.current([from, to]);
      await bed.behind.sql('UPDATE members SET team = ? WHERE id = ?', [to, id]);
      await teams.current([from, to]);
      await bed.behind.sql("UPDATE members SET name = 'b' WHERE id = ?", [id]);
      await teams.current([from, to]);
      await bed.behind.sql('DELETE FROM members WHERE id = ?', [id]);
      await teams.current([from, to]);
      await teams.current([from, to], 'team-by-log');
    });

    test('invalidates no other answer if the log has the columns (D6)', async () => {
      const [touched, other] = [newTeam(), newTeam()];
      const id = await teams.insert(touched, 'a');
      await teams.current([touched, other]);
      await bed.behind.sql("UPDATE members SET name = 'b' WHERE id = ?", [id]);
      await teams.current([touched]);
      expect((await teams.read(other)).source).toBe('cache');
    });

    test('invalidates all answers if the log lacks the old value of a column (D6)', async () => {
      const id = newId();
      const read = async (quantity: number) => {
        const answer = await bed.api.get('quantities', quantity);
        return { ids: valueOf(answer), source: answer.body.source };
      };
      const [from, to] = [newId() % 1_000_000_000, newId() % 1_000_000_000];
      await bed.behind.sql("INSERT INTO orders (id, item, quantity) VALUES (?, 'x', ?)", [
        id,
        from,
      ]);
      const until = (quantity: number, ids: object[]) =>
        eventually(
          async () => expect(await read(quantity)).toEqual({ ids, source: 'cache' }),
          RECOVERY,
        );
      await until(from, [{ id }]);
      await until(to, []);
      await bed.behind.sql('UPDATE orders SET quantity = ? WHERE id = ?', [to, id]);
      await until(from, []);
      await until(to, [{ id }]);
      await bed.behind.sql('DELETE FROM orders WHERE id = ?', [id]);
      await until(to, []);
      if (client !== 'pg') return;
      const { text } = await bed.anonymous.call('GET', '/readyz?verbose');
      const log = bed.instance.logTail(200_000);
      expect(`${text}${log}`).toContain('by which quantities depends on them');
    });

    test('that empties the table invalidates all answers (D6)', async () => {
      const team = newTeam();
      await teams.insert(team, 'a');
      await teams.current([team]);
      await bed.behind.sql('TRUNCATE TABLE members');
      await teams.current([team]);
      expect(await teams.stored(team)).toEqual([]);
    });
  });

  // As long as what they wait for may take on a machine that has other things to do.
  describe('under load through Lockstep and by other programs', { timeout: 150_000 }, () => {
    const survive = async (blow: () => Promise<void>): Promise<void> => {
      const load = new TeamLoad(bed);
      await load.start();
      await load.until({ through: 20, besides: 20 });
      try {
        await blow();
        await eventually(() => untilWell(bed), RECOVERY);
        await load.until({ through: 20, besides: 20 });
      } finally {
        await load.stop();
      }
      await teams.current(load.teams);
      await teams.current(load.teams, 'team-by-log');
    };

    test('nothing old stays when the coordinator is killed, again and again (D5, D6)', () =>
      survive(async () => {
        for (let round = 0; round < 2; round += 1) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
          await bed.instance.kill();
          await bed.instance.start();
        }
        await bed.reconnect();
      }));

    test('nothing old stays when the cache is killed (D5, D6)', () => survive(() => blows.cache()));

    test('nothing old stays when the database is killed (D5, D6)', () =>
      survive(() => blows.database()));
  });
}
