import { ApiClient } from '../support/api-client.ts';
import { expect, open, PAGES, signIn, sticksOut, test, violationsOf } from './dashboard.ts';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
for (const size of SIZES) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`at ${size.width} px, ${colorScheme}`, () => {
      // Rows that slide past each other cover each other's links for a quarter of a second: a page is judged at rest.
      test.use({ viewport: size, colorScheme, contextOptions: { reducedMotion: 'reduce' } });

      for (const { name, path } of PAGES) {
        test(`${name} fits, is live and is accessible`, async ({ page, instance }) => {
          await signIn(page, instance, path);
          await expect(page.locator('html')).toHaveClass(
            colorScheme === 'dark' ? /dark/ : /^(?!.*dark)/,
          );
          await expect(page).toHaveTitle(`${name} · Lockstep`);
          // The first report has arrived and is drawn.
          await expect(
            page.getByText(/^(Waiting for the first report|Reading|Looking|Connecting)/),
          ).toHaveCount(0);

          expect(await sticksOut(page)).toEqual([]);

          expect(await violationsOf(page)).toEqual([]);
        });
      }
    });
  }
}

test.describe('the theme', () => {
  test('is applied before the first paint after a reload', async ({ dashboard: page }) => {
    await page.getByRole('radio', { name: 'Dark' }).first().click({ force: true });
    await expect(page.locator('html')).toHaveClass(/dark/);
    await page.reload({ waitUntil: 'commit' });
    await page.locator('body').waitFor({ state: 'attached' });
    expect(await page.evaluate(`document.documentElement.classList.contains('dark')`)).toBe(true);
  });
});

test.describe('a live page', () => {
  test('Overview shows the load of the demo', async ({ dashboard: page }) => {
    await expect(page.getByRole('region', { name: 'Verdict' })).toBeVisible();
    await expect(page.locator('canvas').first()).toBeVisible();
    await expect(page.getByText('route').first()).toBeVisible();
  });

  test('Locks shows keys as they are held', async ({ dashboard: page }) => {
    await open(page, '/locks');
    const keys = page.getByRole('region', { name: 'Keys held and waited for' });
    await expect(keys.getByText(/route\//).first()).toBeVisible({ timeout: 30_000 });
  });

  test('Locks shows the lease of a caller with its own expiry, and removes it when it ends', async ({
    dashboard: page,
    instance,
  }) => {
    const api = new ApiClient(instance.url, instance.runtime.serviceToken);
    try {
      const asked = { resource: 'booking', key: 'leased', ttl: '1m' };
      const { status, text } = await api.post('/v1/leases', asked);
      expect(status, text).toBe(201);
      const { id } = JSON.parse(text) as { id: string };
      await open(page, '/locks?show=leases');
      const keys = page.getByRole('region', { name: 'Keys held and waited for' });
      const row = keys.getByRole('row').filter({ hasText: 'booking/leased' });
      await expect(row).toContainText('lease');
      // A lock's own time is 8 s at the most.
      await expect(row).toContainText(/[1-5]\d\.\d s/);
      await expect(page.getByText('1 by a lease')).toBeVisible();
      await api.call('DELETE', `/v1/leases/${id}`);
      await expect(row).toContainText('released');
      await expect(row).toHaveCount(0);
    } finally {
      await api.close();
    }
  });

  test('Key shows the answer of a query as a table, and the query', async ({ dashboard: page }) => {
    await open(page, '/key?resource=delays&key=CA');
    await expect(page.getByRole('heading', { name: 'Answer and entry' })).toBeVisible();
    const rows = page.getByRole('region', {
      name: 'Rows of the database’s and the cache’s answer',
    });
    // Somewhere in California there is a delay, as soon as the load has run a little.
    await expect(rows.getByRole('columnheader', { name: 'delay_minutes' })).toBeVisible({
      timeout: 30_000,
    });
    await expect(page.getByText(/where state = \{state\}/)).toBeVisible();
    expect(await sticksOut(page)).toEqual([]);
    expect(await violationsOf(page)).toEqual([]);
  });

  test('TTL shows every cached resource', async ({ dashboard: page }) => {
    await open(page, '/ttl');
    for (const resource of ['route', 'airport', 'delays']) {
      await expect(page.getByRole('heading', { name: resource })).toBeVisible();
    }
  });
});
