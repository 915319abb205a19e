import { writeFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import pg from 'pg';
import { ApiClient } from '../support/api-client.ts';
import { startInstance } from '@lockstep/testkit/instances/instance';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import { expect, open, sticksOut, test as base, violationsOf } from './dashboard.ts';

const RESOURCES = {
  note: { table: 'notes', key: ['id'], cacheKey: 'note:{id}', policy: 'delete-after-write' },
  memo: { table: 'memos', key: ['id'], cacheKey: 'memo:{id}', policy: 'delete-after-write' },
  profile: { table: 'profiles', key: ['id'], cacheKey: 'profile:{id}', policy: 'none' },
  tariff: {
    table: 'ledgers',
    key: ['id'],
    cacheKey: 'tariff:{id}',
    policy: 'refresh',
    refresh: { every: '1h', maxRows: 3 },
  },
};

const shop = (resources: object): object => embeddedShop({ resources, changeLog: { mode: 'on' } });

interface Fixtures {
  api: ApiClient;
  /** The servers, behind Lockstep's back. */
  behind: SideDoor;
}

/** On a shop that follows the change log; the demo does not. */
const test = base.extend<Fixtures>({
  instance: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads a fixture's needs from this pattern
    async ({}, use) => {
      const config = shop(RESOURCES);
      const instance = await startInstance({ config, files: { 'shop.sql': SHOP_SQL.pg } });
      await use(instance);
      await instance.dispose();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  api: async ({ instance }, use) => {
    const api = new ApiClient(instance.url, instance.runtime.serviceToken);
    await use(api);
    await api.close();
  },

  behind: async ({ instance }, use) => {
    const behind = openSideDoor(instance.runtime);
    await use(behind);
    await behind.close();
  },
});

const panelOf = (page: Page, title: string): Locator =>
  page.locator('section').filter({ has: page.getByRole('heading', { level: 2, name: title }) });

test.describe('writes that bypass Lockstep', () => {
  /** The counts of a table as the page shows them, by the table's name. */
  const countsIn = async (panel: Locator): Promise<Record<string, string>> => {
    const rows = await panel.getByRole('row').all();
    const cells = await Promise.all(
      rows.slice(1).map((row) => row.locator('th, td').allInnerTexts()),
    );
    return Object.fromEntries(cells.map(([table = '', changes = '']) => [table, changes]));
  };

  test('are counted by table, and those through Lockstep are not', async ({
    dashboard: page,
    api,
    behind,
  }) => {
    const panel = panelOf(page, 'Writes that bypass Lockstep');
    await expect(panel.getByText('None since the change log was switched on.')).toBeVisible();
    await expect(panel.getByText('following')).toBeVisible();

    const [one, other] = [newId(), newId()];
    for (const id of [one, other]) {
      expect((await api.put('note', id, { text: 'through Lockstep' })).status).toBe(201);
    }
    await behind.sql(
      `insert into memos (id, text) select n, 'round it' from generate_series(1, 3) n`,
    );
    await behind.sql(`update notes set text = 'round it' where id = ?`, [one]);
    await expect.poll(() => countsIn(panel)).toEqual({ memos: '3', notes: '1' });

    await behind.sql('delete from memos where id <= 2');
    expect((await api.put('note', other, { text: 'through it again' })).status).toBe(200);
    await behind.sql(`update notes set text = 'round it' where id = ?`, [other]);
    await expect.poll(() => countsIn(panel)).toEqual({ memos: '5', notes: '2' });
    await expect(panel.getByRole('row').nth(1)).toContainText(/now$|ago$/);
  });
});

test.describe('a refreshed table', () => {
  test('shows its rows, can be refreshed on demand, and says what is wrong and what readers see', async ({
    dashboard: page,
    behind,
    complaints,
  }) => {
    complaints.allow(/status of 413/); // the answer of the run that fails
    const panel = panelOf(page, 'Refreshed tables');
    const verdict = page.getByRole('region', { name: 'Verdict' });
    const [row, problem] = [panel.getByRole('row').nth(1), panel.getByRole('alert')];
    const refresh = row.getByRole('button', { name: 'Refresh tariff' });
    await expect(row).toContainText(/tariff\s*refreshed\s*0/);
    await expect(row).toContainText(/in (59|60) min|in 1 h/);

    await behind.sql('insert into ledgers (id) values (1), (2)');
    await refresh.click();
    await expect(panel.getByRole('status')).toHaveText(/^tariff: 2 rows in /);
    await expect(row).toContainText(/refreshed\s*2/);

    await behind.sql('insert into ledgers (id) values (3), (4)');
    await refresh.click();
    await expect(problem).toContainText(/^tariff: .*rows/);
    await expect(row).toContainText(/failed\s*2/);
    await expect(verdict).toContainText('The last refresh of tariff failed');
    await expect(verdict).toContainText('Readers see the rows of');
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await sticksOut(page)).toEqual([]);
    expect(await violationsOf(page)).toEqual([]);

    await behind.sql('delete from ledgers where id >= 3');
    await refresh.click();
    await expect(row).toContainText(/refreshed\s*2/);
    await expect(verdict).not.toContainText('tariff');
    await expect(problem).toHaveCount(0);
  });
});

test.describe('a resource whose policy is switched', () => {
  test('shows what changes until the switch is complete, on the overview and for its keys', async ({
    dashboard: page,
    instance,
  }) => {
    const admin = new ApiClient(instance.url, instance.runtime.adminToken);
    // A write of before that has not ended: the switch waits for it.
    const writer = new pg.Client({
      connectionString: instance.runtime.databaseUrl,
      application_name: 'lockstep',
    });
    await writer.connect();
    try {
      await writer.query('begin');
      const profile = { ...RESOURCES.profile, policy: 'strict' };
      writeFileSync(instance.configPath, JSON.stringify(shop({ ...RESOURCES, profile })));
      const reload = admin.post('/v1/ops/reload', {});
      const verdict = page.getByRole('region', { name: 'Verdict' });
      await expect(verdict).toContainText('profile is being switched: from none to strict');
      await open(page, '/key?resource=profile&key=1');
      await expect(page.getByText('being switched', { exact: true })).toBeVisible();
      await writer.query('commit');
      expect((await reload).status).toBe(200);
      await expect(page.getByText('being switched', { exact: true })).toHaveCount(0);
      await open(page, '/');
      await expect(verdict).not.toContainText('profile');
    } finally {
      await writer.end();
      await admin.close();
    }
  });
});
