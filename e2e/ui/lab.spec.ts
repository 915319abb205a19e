import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Locator, Page } from '@playwright/test';
import { repositoryPath } from '@lockstep/testkit/repository';
import { expect, open, test, violationsOf } from './dashboard.ts';

/** What `npm run lab -- --strategy NAME --json` prints in its last line. */
interface LabAnswer {
  strategies: [
    {
      title: string;
      states: number;
      staleForGood: boolean;
      staleForAWhile: boolean;
      lostWrite: boolean;
      neverWas: boolean;
      traces: Record<string, { steps: { label: string; note: string }[]; ending: string }[]>;
    },
  ];
}

async function labSays(strategy: string): Promise<LabAnswer['strategies'][0]> {
  const args = [repositoryPath('scripts/lab.mjs'), '--strategy', strategy, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const [answer] = (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LabAnswer).strategies;
  return answer;
}

const rowOf = (page: Page, title: string): Locator =>
  page
    .getByRole('region', { name: 'Strategies' })
    .getByRole('row')
    .filter({ has: page.getByRole('button', { name: title, exact: true }) });

const diagramOf = (page: Page): Locator => page.getByRole('group', { name: 'Sequence diagram' });

/** The answers of a row, as the page words them: `yes, 4`, `no`. */
const answersIn = async (row: Locator): Promise<string[]> =>
  (await row.getByRole('cell').allTextContents()).slice(0, 4).map((text) => text.trim());

test.describe('the lab', () => {
  test.setTimeout(180_000);

  test('explores a strategy in the browser with the same result as npm run lab, and steps through its trace', async ({
    dashboard: page,
  }) => {
    const told = await labSays('distributed-lock');
    await open(page, '/lab');
    const row = rowOf(page, told.title);
    await expect(row.getByText('yes')).toHaveCount(0);
    await row.getByRole('button', { name: told.title }).click();
    await expect(row).toContainText(told.states.toLocaleString('en'));
    const steps = (property: string): string => {
      const [shortest] = told.traces[property] ?? [];
      return shortest === undefined ? 'no' : `yes, ${shortest.steps.length}`;
    };
    expect(await answersIn(row)).toEqual(
      ['staleForGood', 'staleForAWhile', 'lostWrite', 'neverWas'].map(steps),
    );

    await row.getByRole('button', { name: /^A lost write/ }).click();
    const [lost] = told.traces['lostWrite'] ?? [];
    if (lost === undefined) throw new Error('npm run lab found no lost write');
    const diagram = diagramOf(page);
    await expect(diagram.getByRole('listitem')).toHaveCount(lost.steps.length + 1);
    for (const [index, { label, note }] of lost.steps.entries()) {
      await page.keyboard.press('ArrowRight');
      const current = diagram.locator('[aria-current="step"]');
      await expect(current).toContainText(label);
      if (note !== '') await expect(current).toContainText(note);
      await expect(page.getByText(`Step ${index + 1} of ${lost.steps.length}`)).toBeVisible();
    }
    await expect(page.getByText(lost.ending)).toBeVisible();
    await page.keyboard.press('ArrowLeft');
    await expect(page.getByText(lost.ending)).toBeHidden();
  });

  test('explores strict without blocking the page, finds nothing, and can be stopped', async ({
    dashboard: page,
  }) => {
    await open(page, '/lab');
    const row = rowOf(page, 'strict here');
    await page.evaluate(`
      window.longestMs = 0;
      let last = performance.now();
      setInterval(() => {
        const now = performance.now();
        window.longestMs = Math.max(window.longestMs, now - last);
        last = now;
      }, 20);
    `);
    await row.getByRole('button', { name: 'strict here' }).click();
    await expect(row).toContainText(/\d…/);
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(row).not.toContainText('…');
    const startedAtMs = Date.now();
    await page.getByRole('button', { name: 'Explore', exact: true }).click();
    await expect(page.getByText('Nothing goes wrong')).toBeVisible({ timeout: 150_000 });
    expect(await answersIn(row)).toEqual(['no', 'no', 'no', 'no']);
    const tookMs = Date.now() - startedAtMs;
    expect(await page.evaluate<number>('window.longestMs')).toBeLessThan(tookMs / 2);
  });

  test('keeps the strategy and its trace in the address, and the focus in the diagram', async ({
    dashboard: page,
  }) => {
    await open(page, '/lab?strategy=database-then-cache&trace=staleForGood');
    const diagram = diagramOf(page);
    await expect(diagram).toContainText('SET B');
    await diagram.getByRole('button', { name: 'Before the first step' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await expect(diagram.getByRole('button', { name: /UPDATE to B/ })).toBeFocused();
    await page.keyboard.press('End');
    await expect(page.getByText('the cache holds A, the database B.').first()).toBeVisible();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press('Home');
    await expect(page.getByText('Step 0 of 4')).toBeVisible();
  });

  test('shows the measurements of every strategy beside what was explored', async ({
    dashboard: page,
  }) => {
    await open(page, '/lab?strategy=strict');
    const writeOf = (title: string): Locator => rowOf(page, title).getByRole('cell').nth(5);
    await expect(writeOf('update database, then delete cache')).toContainText(/\d \/ \d.* ms/);
    const withFaults = page.getByRole('radio', { name: 'With faults' });
    await withFaults.click({ force: true });
    await expect(page).toHaveURL(/measured=faults/);
    await expect(writeOf('the same with a replica')).toContainText(/\d \/ \d.* ms/);
    await expect(page.getByText('n/a: not measured')).toHaveCount(0);
    await expect(page.getByText(/^Measured \d{4}-\d\d-\d\d on/)).toBeVisible();
  });
});
