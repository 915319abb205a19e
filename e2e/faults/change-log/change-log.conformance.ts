import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../../support/all-well.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { SHOP_RESOURCES } from '../../support/shop.ts';
import { SideLoad } from './side-load.ts';

/** A resource by each cached policy; the log is followed for all of them. */
export const LOGGED_SHOP = {
  resources: {
    account: SHOP_RESOURCES.account,
    profile: SHOP_RESOURCES.profile,
    ledger: { table: 'ledgers', key: ['id'], cacheKey: 'ledger:{id}', policy: 'change-log' },
    order: {
      ...{ table: 'orders', key: ['id'], cacheKey: 'order:{id}' },
      ...{ policy: 'delayed-double-delete', secondDeleteAfter: '1s' },
    },
    sample: {
      ...{ table: 'samples', key: ['id'], columns: ['id', 'big'], cacheKey: 'sample:{id}' },
      ...{ policy: 'refresh', refresh: { every: '2s', maxRows: 3_000 } },
    },
  },
};

/** How servers of the kind under test are ended; each resolves when it is gone, and it comes back by itself. */
export interface Blows {
  database(): Promise<void>;
  cache(): Promise<void>;
  /** Makes the log lead nowhere, while the coordinator is down. */
  forgetLog(): Promise<void>;
}

/** Far above the lag (some ms), far below a TTL (minutes): what a loaded machine may add. */
const LAG_BOUND_MS = 15_000;
/** Reads and writes beside Lockstep that say enough of a time under load. */
const ENOUGH = { reads: 1_000, besides: 100 };
const WARM = { reads: 20, besides: 5 };
const RECOVERY = { withinMs: 90_000, everyMs: 100 };

export function describeChangeLog(bed: TestBed, blows: Blows): void {
  beforeEach(() => untilAllIsWell(bed));
  beforeEach(() => untilPositionIsStored());

  /** What was swept at first is swept, and a coordinator that is killed now goes on from a stored position. */
  const untilPositionIsStored = (): Promise<void> =>
    eventually(async () => {
      const rows = await bed.behind.sql('select log_position, sweeps from lockstep_changelog');
      expect(rows).toHaveLength(1);
      expect(rows[0]?.['log_position']).toMatch(/./);
      expect(rows[0]?.['sweeps']).toBe('');
    }, RECOVERY);

  /** Every key is answered as the database has it. */
  const expectCurrent = (load: SideLoad): Promise<void> =>
    eventually(async () => {
      for (const counter of load.counters) {
        const { stored, answered } = await load.compare(counter);
        expect(answered).toBe(stored);
      }
    }, RECOVERY);

  async function metric(name: string): Promise<number> {
    const { text } = await bed.anonymous.call('GET', '/metrics');
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Under load, something is ended; afterwards, with the load off, nothing old is served. */
  async function survive(blow: () => Promise<void>): Promise<void> {
    const load = new SideLoad(bed);
    await load.start();
    await load.until(WARM);
    try {
      await blow();
      await eventually(() => untilAllIsWell(bed), RECOVERY);
    } finally {
      await load.stop();
    }
    await expectCurrent(load);
  }

  describe('tables that are written both through Lockstep and by other programs', () => {
    test('are never served old for longer than the lag, under load, for every cached policy (C1, C2)', async () => {
      const before = await metric('lockstep_bypass_changes_total');
      const load = new SideLoad(bed);
      await load.start();
      await load.until(ENOUGH);
      const { fromCache, besides, through, worstMs } = await load.stop();
      expect(worstMs).toBeLessThan(LAG_BOUND_MS);
      expect(fromCache).toBeGreaterThan(0);
      expect(through).toBeGreaterThan(0);
      await expectCurrent(load);
      // Each of them, and none of those through it.
      await eventually(async () =>
        expect((await metric('lockstep_bypass_changes_total')) - before).toBe(besides),
      );
      expect(await metric('lockstep_changelog_up')).toBe(1);
    });

    test('are served new after the coordinator was killed, which resumes at its saved position (C6)', async () => {
      await survive(async () => {
        await bed.instance.kill();
        await bed.instance.start();
        await bed.reconnect();
      });
      expect(await metric('lockstep_changelog_sweeps')).toBe(0);
    });

    test('are served new after the database was killed (C6)', () =>
      survive(() => blows.database()));

    test('are served new after the cache was killed (C9)', () => survive(() => blows.cache()));

    test('are served new although the log was lost meanwhile, which is reported (C8)', async () => {
      const load = new SideLoad(bed);
      await load.start();
      await load.stop();
      await expectCurrent(load);
      // With nothing written any more, all of them are cached at once: old, when the log is lost.
      await eventually(async () => {
        for (const { resource, id } of load.counters) {
          expect((await bed.api.get(resource, id)).body.source).toBe('cache');
        }
      });
      await bed.instance.kill();
      await blows.forgetLog();
      for (const { table, column, id } of load.counters) {
        await bed.behind.sql(`update ${table} set ${column} = ${column} + 1 where id = ?`, [id]);
      }
      await bed.instance.start();
      await bed.reconnect();
      await expectCurrent(load);
      expect(await metric('lockstep_changelog_sweeps')).toBeGreaterThan(0);
      expect(bed.instance.logTail(100_000)).toContain('changes may be missing from the change log');
    });
  });
}
