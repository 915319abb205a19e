import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';

interface Fixtures {
  /** The open dashboard, signed in. */
  dashboard: Page;
  /** What the page complains about fails its test, at the end; what the test brings about is allowed beforehand. */
  complaints: Complaints;
}

interface Complaints {
  /** For the whole test: when the browser says it is the browser's to choose. */
  allow(pattern: RegExp): void;
}

interface WorkerFixtures {
  /** A running demo, for all tests of a worker. */
  instance: Instance;
}

export const PAGES = [
  { name: 'Overview', path: '/', letter: 'o' },
  { name: 'Locks', path: '/locks', letter: 'l' },
  { name: 'TTL', path: '/ttl', letter: 't' },
  { name: 'Audits', path: '/audits', letter: 'a' },
  { name: 'Key', path: '/key', letter: 'k' },
  { name: 'Lab', path: '/lab', letter: 'b' },
] as const;

export const test = base.extend<Fixtures, WorkerFixtures>({
  instance: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads a fixture's needs from this pattern
    async ({}, use) => {
      const instance = await startInstance({ keepPort: true });
      await use(instance);
      await instance.dispose();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  complaints: [
    async ({ page }, use) => {
      const heard: string[] = [];
      const allowed: RegExp[] = [];
      page.on('pageerror', (error) => heard.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') heard.push(message.text());
      });
      await use({ allow: (pattern) => void allowed.push(pattern) });
      const wrong = heard.filter((text) => !allowed.some((pattern) => pattern.test(text)));
      expect(wrong, 'errors of the page').toEqual([]);
    },
    { auto: true },
  ],

  dashboard: async ({ page, instance }, use) => {
    await signIn(page, instance);
    await use(page);
  },
});

/** Opens the dashboard with the link that `npm start` prints. */
export async function signIn(page: Page, instance: Instance, path = '/'): Promise<void> {
  const { url, adminToken } = instance.runtime;
  await page.goto(`${url}/#/signin?token=${adminToken}`);
  await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
  if (path !== '/') await open(page, path);
}

/** Goes to a page by its address. */
export async function open(page: Page, path: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(path)}`);
  const name = PAGES.find((each) => each.path === path.split('?')[0])?.name;
  if (name !== undefined) await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
}

const STICKS_OUT = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > clientWidth)
    .map((element) => element.outerHTML.slice(0, 200));
})()`;

/** What sticks out to the right where the page can be scrolled sideways; empty where it can't. */
export const sticksOut = (page: Page): Promise<string[]> => page.evaluate<string[]>(STICKS_OUT);

const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe finds wrong with the page as it is now, a line each. */
export async function violationsOf(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(AXE_TAGS).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
}

export { expect };
