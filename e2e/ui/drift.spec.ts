import { expect, open, test } from './dashboard.ts';

/** The demo's audits come every 20 s; the promise to a newcomer is a minute. */
const FOUND_WITHIN_MS = 60_000;

test.describe('drift', () => {
  test.setTimeout(150_000);

  test('that was made on purpose is found and repaired within a minute, and both sides are shown', async ({
    dashboard: page,
  }) => {
    await open(page, '/audits');
    await page.getByLabel('Keys', { exact: true }).fill('6');
    await page.getByRole('button', { name: 'Make drift' }).click();
    await expect(page.getByText(/6 keys disagree now/)).toBeVisible();

    const findings = page.getByRole('region', { name: 'Findings' });
    await expect(findings.getByText('repaired').first()).toBeVisible({ timeout: FOUND_WITHIN_MS });
    await findings
      .getByRole('button', { name: /^Compare/ })
      .first()
      .click();
    const drawer = page.getByRole('dialog');
    await expect(drawer.getByRole('columnheader', { name: /Database/ })).toBeVisible();
    await expect(drawer.getByRole('columnheader', { name: /Cache/ })).toBeVisible();
    await expect(page).toHaveURL(/finding=/);
    await page.keyboard.press('Escape');
    await expect(drawer).toBeHidden();
  });

  test('is found by an audit that is asked for, and its key is one click away', async ({
    dashboard: page,
  }) => {
    await open(page, '/audits');
    await page.getByLabel('How').first().selectOption({ label: 'change the entry only' });
    await page.getByLabel('Keys', { exact: true }).fill('3');
    await page.getByRole('button', { name: 'Make drift' }).click();
    const made = page.getByText(/3 keys disagree now/);
    await expect(made).toBeVisible();
    const link = made.getByRole('link').first();
    const name = (await link.textContent())?.trim() ?? '';

    await page.getByRole('button', { name: 'Run audit' }).click();
    await expect(page.getByText(/\d+ sampled/)).toBeVisible({ timeout: 30_000 });
    await link.click();
    await expect(page.getByRole('heading', { level: 1, name: 'Key' })).toBeVisible();
    const comparison = page.getByRole('region', { name: 'Comparison of this key' });
    await expect(comparison).toContainText(name.split('/')[1] ?? name);
    await expect(comparison).toContainText(/in step/i, { timeout: FOUND_WITHIN_MS });
  });

  test('filters are kept in the address', async ({ dashboard: page }) => {
    await open(page, '/audits?class=orphan&status=open');
    await expect(page.getByLabel('Class')).toHaveValue('orphan');
    await expect(page.getByLabel('Status')).toHaveValue('open');
    await page.getByLabel('Status').selectOption('superseded');
    await expect(page).toHaveURL(/status=superseded/);
    await page.reload();
    await expect(page.getByLabel('Status')).toHaveValue('superseded');
  });
});
