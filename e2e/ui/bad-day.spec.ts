import { expect, open, test } from './dashboard.ts';

const NOTICED_WITHIN_MS = 20_000;
const STRICT_REFUSED = /strict writes are refused/i;
const NOTHING_APPLIED = /no write is applied/i;

test.describe('on a bad day', () => {
  test.setTimeout(150_000);

  test('the page says which server is away and what is safe, stays up, and says when all is well', async ({
    dashboard: page,
    instance,
    complaints,
  }) => {
    complaints.allow(/status of 50[34]/); // a page that asks meanwhile is refused
    const verdict = page.getByRole('region', { name: 'Verdict' });
    instance.pauseServer('cache');
    try {
      await expect(verdict).toContainText(/cache .*does not answer/i, {
        timeout: NOTICED_WITHIN_MS,
      });
      await expect(verdict).toContainText(STRICT_REFUSED);
      await open(page, '/locks');
      await open(page, '/');
    } finally {
      instance.resumeServer('cache');
    }
    await expect(verdict).not.toContainText(STRICT_REFUSED, { timeout: NOTICED_WITHIN_MS });

    instance.pauseServer('database');
    try {
      await expect(verdict).toContainText(/database .*does not answer/i, {
        timeout: NOTICED_WITHIN_MS,
      });
      await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    } finally {
      instance.resumeServer('database');
    }
    await expect(verdict).not.toContainText(NOTHING_APPLIED, { timeout: NOTICED_WITHIN_MS });
  });

  test('a lost connection is shown with the time of the last report, and comes back by itself', async ({
    dashboard: page,
    instance,
    complaints,
  }) => {
    complaints.allow(/./); // the browser logs every attempt to connect, in words of its own
    const verdict = page.getByRole('region', { name: 'Verdict' });
    await expect(verdict).toBeVisible();
    await expect(verdict).not.toContainText('Waiting for the first report');
    await instance.kill();
    const banner = page.getByText('Connection lost.');
    await expect(banner).toBeVisible({ timeout: NOTICED_WITHIN_MS });
    await expect(page.getByText(/as of \d\d:\d\d:\d\d/)).toBeVisible();
    await instance.start();
    await expect(banner).toBeHidden({ timeout: 30_000 });
  });
});
