import { expect, signIn, test } from './dashboard.ts';

test.describe('sign-in', () => {
  test('asks for the token, explains why a wrong one is refused, and accepts the right one', async ({
    page,
    instance,
    complaints,
  }) => {
    // The browser logs the refused requests.
    complaints.allow(/status of 40[13]/);
    await page.goto(instance.url);
    const field = page.getByLabel('Admin token');
    await field.fill('not the token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('not an admin token');
    // The words of the first refusal are still shown, so the second one is recognized by its answer.
    const refusal = page.waitForResponse((response) => response.status() === 403);
    await field.fill(instance.runtime.serviceToken);
    await field.press('Enter');
    await refusal;
    await expect(page.getByRole('alert')).toContainText('not an admin token');

    await field.fill(instance.runtime.adminToken);
    await field.press('Enter');
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    await page.reload();
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
  });

  test('by link takes the token out of the address', async ({ page, instance }) => {
    await signIn(page, instance);
    expect(page.url()).not.toContain(instance.runtime.adminToken);
    expect(page.url()).not.toContain('token');
  });

  test('ends with sign-out, and a new tab is not signed in', async ({
    page,
    instance,
    context,
    complaints,
  }) => {
    complaints.allow(/status of 401/); // the reload asks without a token
    await signIn(page, instance);
    const other = await context.newPage();
    await other.goto(instance.url);
    await expect(other.getByLabel('Admin token')).toBeVisible();
    await other.close();
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await expect(page.getByLabel('Admin token')).toBeVisible();
    await page.reload();
    await expect(page.getByLabel('Admin token')).toBeVisible();
  });
});
