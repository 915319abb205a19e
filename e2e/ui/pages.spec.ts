import { expect, open, PAGES, signIn, test, violationsOf } from './dashboard.ts';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
/** What sticks out to the right where the page can be scrolled sideways; empty where it can't. */
const STICKS_OUT = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > clientWidth)
    .map((element) => element.outerHTML.slice(0, 200));
})()`;

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

          expect(await page.evaluate<string[]>(STICKS_OUT)).toEqual([]);

          expect(await violationsOf(page)).toEqual([]);
        });
      }
    });
  }
}

test.describe('the theme', () => {
  test('that was chosen is there before the first paint after a reload', async ({
    dashboard: page,
  }) => {
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
    const lanes = page.getByRole('region', { name: 'Keys held and waited for' });
    await expect(lanes.getByText(/route\//).first()).toBeVisible({ timeout: 30_000 });
  });

  test('TTL shows every cached resource', async ({ dashboard: page }) => {
    await open(page, '/ttl');
    for (const resource of ['route', 'airport']) {
      await expect(page.getByRole('heading', { name: resource })).toBeVisible();
    }
  });
});
