import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import type { Client } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { newId, SHOP_RESOURCES } from './support/shop.ts';

const LOCAL = { level: 'local' } as const;
const bed = useBed({
  resources: { ...SHOP_RESOURCES, profile: { ...SHOP_RESOURCES.profile, ...LOCAL } },
});

/** A row that the client keeps in memory. */
async function keptRow(client: Client): Promise<number> {
  const id = newId();
  await client.put('profile', id, { name: 'old' });
  await eventually(async () =>
    expect(await client.get('profile', id)).toMatchObject({ source: 'local' }),
  );
  return id;
}

describe('a resource of level local', () => {
  test('a write through another client is seen', async () => {
    const reader = await bed.ready();
    const writer = await bed.ready();
    const id = await keptRow(reader);
    await writer.patch('profile', id, { name: 'new' });
    await eventually(async () =>
      expect(await reader.get('profile', id)).toMatchObject({ value: { name: 'new' } }),
    );
  });
});
