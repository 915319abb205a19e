import type { Locator, Page } from '@playwright/test';
import { ApiClient } from '../support/api-client.ts';
import { startInstance } from '../support/instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import { expect, test as base } from './dashboard.ts';

const RESOURCES = {
  note: { table: 'notes', key: ['id'], cacheKey: 'note:{id}', policy: 'delete-after-write' },
  memo: { table: 'memos', key: ['id'], cacheKey: 'memo:{id}', policy: 'delete-after-write' },
};

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
      const instance = await startInstance({
        config: embeddedShop({ resources: RESOURCES, changeLog: { mode: 'on' } }),
        files: { 'shop.sql': SHOP_SQL.pg },
      });
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
    await expect(panel.getByRole('row').nth(1)).toContainText(/ ago$/);
  });
});
