import { readFileSync, writeFileSync } from 'node:fs';
import { eventually } from '@lockstep/testkit/poll';
import { describe, expect, test } from 'vitest';
import type { Client } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { failureOf } from './support/heard.ts';
import { newId, SHOP_RESOURCES } from './support/shop.ts';

const bed = useBed();

/** Reloads the coordinator with another definition of `profile`, and waits until it says `settled: true`. */
async function switchProfile(changes: object): Promise<void> {
  const { configPath, runtime } = bed.instance;
  const config = JSON.parse(readFileSync(configPath, 'utf8')) as { resources: object };
  const profile = { ...SHOP_RESOURCES.profile, ...changes };
  const next = { ...config, resources: { ...config.resources, profile } };
  writeFileSync(configPath, JSON.stringify(next));
  await eventually(async () => {
    const answer = await fetch(`${runtime.url}/v1/ops/reload`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${runtime.adminToken}`,
        'content-type': 'application/json',
      },
      body: '{}',
    });
    expect(await answer.json()).toMatchObject({ settled: true });
  });
}

/** A row whose entry is old, as a delete that was lost leaves it, and that the client answers. */
async function oldEntry(client: Client): Promise<number> {
  const id = newId();
  await client.put('profile', id, { name: 'new' });
  await client.session().get('profile', id);
  const text = (await bed.redis.get(`profile:${id}`)) ?? '';
  await bed.redis.set(`profile:${id}`, text.replace('"new"', '"old"'), 'EX', 600);
  expect(await client.get('profile', id)).toMatchObject({ value: { name: 'old' } });
  return id;
}

describe('a switch of a policy', () => {
  test.each([
    ['to strict', { policy: 'strict' }],
    ['to another template', { policy: 'strict', cacheKey: 'p:{id}' }],
    ['to none', { policy: 'none' }],
  ])(
    'RP10: %s, once it is settled, leaves nothing old for a client that has not heard of it',
    async (_, changes) => {
      await switchProfile({});
      const cutOff = await bed.ready({ catalogRefreshMs: 600_000, retries: { maxAttempts: 1 } });
      const ids = [await oldEntry(cutOff), await oldEntry(cutOff)];
      // From now on it reaches no coordinator.
      bed.links.coordinator.accept('refuse');
      bed.links.coordinator.reset();
      try {
        expect(await cutOff.getMany('profile', ids)).toMatchObject(
          ids.map(() => ({ value: { name: 'old' } })),
        );
        await switchProfile(changes);
        for (const id of ids)
          expect(await failureOf(cutOff.get('profile', id))).toMatchObject({
            code: 'COORDINATOR_UNAVAILABLE',
          });
      } finally {
        bed.links.coordinator.heal();
      }
      expect(await cutOff.getMany('profile', ids)).toMatchObject(
        ids.map(() => ({ value: { name: 'new' } })),
      );
    },
  );

  test('RP10: is followed by a client that hears of it', async () => {
    await switchProfile({});
    const client = await bed.ready({ catalogRefreshMs: 100 });
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await switchProfile({ policy: 'strict', cacheKey: 'p:{id}' });
    await client.patch('profile', id, { name: 'Bea' });
    await eventually(async () =>
      expect(await client.get('profile', id)).toMatchObject({
        ...{ source: 'cache', value: { name: 'Bea' } },
      }),
    );
    expect(await bed.redis.get(`p:${id}`)).toContain('Bea');
  });
});
