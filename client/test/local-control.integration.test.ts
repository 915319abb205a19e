/** The control `local-without-gap-check`: messages that were missed are not noticed, and the judge must see it. */
import { afterAll, expect, test, vi } from 'vitest';

const MESSAGES = '../src/invalidation-messages.ts';
vi.resetModules();
vi.doMock(MESSAGES, async (whole) => ({ ...(await whole<object>()), isGap: () => false }));
// Only now, because the files of one worker share what they import.
const { useBed } = await import('./support/bed.ts');
const { LOCAL_RESOURCES, streamOf } = await import('./support/local-shop.ts');
const { runLocalLoad } = await import('./support/local-load.ts');

const bed = useBed({ resources: LOCAL_RESOURCES });
afterAll(() => {
  vi.doUnmock(MESSAGES);
  vi.resetModules();
});

test('local-without-gap-check: is caught', async () => {
  const run = await runLocalLoad(bed, await streamOf(bed, 'profile'), 41);
  expect(run.violations).not.toEqual([]);
  expect(run.violations.every((each) => each.startsWith('local answered'))).toBe(true);
});
