import { eventually } from '@lockstep/testkit/poll';
import type { Catalog } from '@lockstep/shared/for-clients';
import type { Bed } from './bed.ts';
import { SHOP_RESOURCES } from './shop.ts';

const LOCAL = { level: 'local' } as const;

/** The shop with what can be kept in memory. */
export const LOCAL_RESOURCES = {
  ...SHOP_RESOURCES,
  profile: { ...SHOP_RESOURCES.profile, ...LOCAL },
  part: {
    ...{ ...SHOP_RESOURCES.part, ...LOCAL },
    ...{ policy: 'delayed-double-delete', secondDeleteAfter: '15s' },
  },
  order: {
    ...{ table: 'orders', key: ['id'], cacheKey: 'order:{id}', ...LOCAL },
    ...{ policy: 'refresh', refresh: { every: '1h' } },
  },
  'owner-accounts': { ...SHOP_RESOURCES['owner-accounts'], ...LOCAL },
} as const;

/** The key of a resource's invalidation stream. */
export function streamOf(bed: Bed, resource: string): Promise<string> {
  return eventually(async () => {
    const { url, serviceToken } = bed.instance.runtime;
    const headers = { authorization: `Bearer ${serviceToken}` };
    const answer = await fetch(`${url}/v1/resources`, { headers });
    const { resources } = (await answer.json()) as Catalog;
    const stream = resources.find(({ name }) => name === resource)?.stream;
    if (stream === undefined) throw new Error(`${resource} has no stream`);
    return stream;
  });
}
