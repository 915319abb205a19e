import type { CatalogResource } from '@lockstep/shared';
import { HEARD_WITHIN_MS, isRow, type Station, type StationOptions } from '../station.ts';
import { changing } from './cache-keys.ts';
import { atWarmStation, type Check } from './check.ts';

const NOTE = { note: 'in the database' };

/** The list of resources says something else than before. */
export const switches: Check = {
  rules: ['RP10'],
  run: async (options) => {
    await atWarmStation(options, neverReadable);
    await stopsReading(options, 'a resource that is not readable any more', (resource) => {
      resource.isReadable = false;
    });
    await atWarmStation(options, otherTemplate);
  },
};

/** Resources without entries, and with raw ones. */
async function neverReadable(station: Station): Promise<void> {
  for (const resource of ['order', 'label'] as const) {
    const row = await station.row(resource, NOTE);
    await station.putMarked(row);
    await station.expectCoordinator('RP10', `an entry of ${resource}, which is not readable`, row);
  }
}

const stopsReading = (
  options: StationOptions,
  label: string,
  change: (resource: CatalogResource) => void,
): Promise<void> =>
  atWarmStation(options, async (station) => {
    const row = await station.row('profile', NOTE);
    station.coordinator.change = changing('profile', change);
    const isFollowed = await station.within(HEARD_WITHIN_MS, async () => {
      await station.putMarked(row);
      return (await station.get(row)).asked.length > 0;
    });
    if (!isFollowed) station.broken('RP10', `${label} went on being read for 15 s`);
  });

async function otherTemplate(station: Station): Promise<void> {
  const row = await station.row('profile', NOTE);
  const moved = { ...row, cacheKey: `moved:${row.cacheKey}` };
  station.coordinator.change = changing('profile', (resource) => {
    resource.cacheKey = `moved:${resource.cacheKey}`;
  });
  const isFollowed = await station.within(HEARD_WITHIN_MS, async () => {
    const marked = await station.putMarked(moved, { version: 8 });
    const { answer, asked } = await station.get(row);
    return asked.length === 0 && isRow(answer, marked);
  });
  if (!isFollowed) station.broken('RP10', 'another template was not followed within 15 s');
}
