/** The control `local-without-gap-check`: messages that were missed are not noticed, and the judge must see it. */
import { expect, test, vi } from 'vitest';
import { useBed } from './support/bed.ts';
import { LOCAL_RESOURCES, streamOf } from './support/local-shop.ts';
import { runLocalLoad } from './support/local-load.ts';

vi.mock('../src/invalidation-messages.ts', async (whole) => ({
  ...(await whole<object>()),
  isGap: () => false,
}));

const bed = useBed({ resources: LOCAL_RESOURCES });

test('local-without-gap-check: is caught', async () => {
  const run = await runLocalLoad(bed, await streamOf(bed, 'profile'), 41);
  expect(run.violations).not.toEqual([]);
  expect(run.violations.every((each) => each.startsWith('local answered'))).toBe(true);
});
