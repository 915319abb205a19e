import { expect, PAGES, test } from './dashboard.ts';

/** True also where the focus has left for the browser's own controls. */
const IS_FOCUS_SHOWN = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return true;
  const { outlineStyle, boxShadow } = getComputedStyle(element);
  return outlineStyle !== 'none' || boxShadow !== 'none';
})()`;

test.describe('the keyboard', () => {
  test('goes to every page with g and a letter', async ({ dashboard: page }) => {
    for (const { name, letter } of [...PAGES].reverse()) {
      await page.keyboard.press('g');
      await page.keyboard.press(letter);
      await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
    }
  });

  test('opens the key search with /', async ({ dashboard: page }) => {
    await page.keyboard.press('/');
    await expect(page.getByLabel('Look up a key')).toBeFocused();
    await page.keyboard.type('airport/nowhere');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/#\/key\?.*nowhere/);
  });

  test('shows its shortcuts with ? and closes them with Escape, with the focus back', async ({
    dashboard: page,
  }) => {
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await expect(dialog).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  });

  test('pauses with p, says how many updates are new, and goes on', async ({ dashboard: page }) => {
    await page.keyboard.press('p');
    const bar = page.getByRole('region', { name: 'Paused' });
    await expect(bar).toContainText(/[1-9]\d* new update/);
    await page.keyboard.press('p');
    await expect(bar).toBeHidden();
  });

  test('skips to the content, and shows where the focus is', async ({ dashboard: page }) => {
    await page.reload();
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    await expect(skip).toBeFocused();
    await expect(skip).toBeInViewport();
    await page.keyboard.press('Enter');
    await expect(page.locator('main')).toBeFocused();
    for (let press = 0; press < 8; press++) {
      await page.keyboard.press('Tab');
      const isShown = await page.evaluate<boolean>(IS_FOCUS_SHOWN);
      expect(isShown, `the focus after ${press + 1} more tabs`).toBe(true);
    }
  });
});
