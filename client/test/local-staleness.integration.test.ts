/** The bound of what memory answers, under faults; `local-control.integration.test.ts` breaks what keeps it. */
import { expect, test } from 'vitest';
import { useBed } from './support/bed.ts';
import { listenTo } from './support/heard.ts';
import { LOCAL_RESOURCES, streamOf } from './support/local-shop.ts';
import { runLocalLoad } from './support/local-load.ts';

const bed = useBed({ resources: LOCAL_RESOURCES });
const heard = listenTo('lockstep:local');

test('D14: under faults, no answer from memory is more than maxLagMs behind an acknowledged invalidation', async () => {
  const run = await runLocalLoad(bed, await streamOf(bed, 'profile'), 41);
  expect(run.violations).toEqual([]);
  const whys = new Set(heard.flatMap((event) => (event.event === 'emptied' ? [event.why] : [])));
  expect(whys).toContain('gap');
  expect(whys).toContain('disconnected');
});
