import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { useBed } from './support/bed.ts';
import { heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

/** Puts an older value of the key into the cache, as a delete that was lost would leave it. */
async function putBack(id: number): Promise<void> {
  const text = (await bed.redis.get(`profile:${id}`)) ?? '';
  await bed.redis.set(
    `profile:${id}`,
    text.replace(/"v":\d+/, '"v":1').replace(/"name":"\w+"/, '"name":"old"'),
  );
}

describe('a session', () => {
  test('RP8: reads what it wrote, also where the cache has something older', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'first' });
    await client.patch('profile', id, { name: 'second' });
    await client.get('profile', id);
    await putBack(id);
    const other = client.session();
    expect(await other.get('profile', id)).toMatchObject({ version: 1, value: { name: 'old' } });
    const reads = await heard('lockstep:read', async () =>
      expect(await client.get('profile', id)).toMatchObject({
        version: 2,
        value: { name: 'second' },
      }),
    );
    expect(reads).toMatchObject([{ from: 'coordinator', reason: 'older' }]);
  });

  test('RP8: never goes back behind what it has read, in whatever spelling', async () => {
    const client = await bed.ready();
    const session = client.session();
    const id = newId();
    await client.put('profile', id, { name: 'first' });
    await client.patch('profile', id, { name: 'second' });
    expect(await session.get('profile', `0${id}`)).toMatchObject({ version: 2 });
    await client.get('profile', id);
    await putBack(id);
    expect(await session.getMany('profile', [id, String(id)])).toMatchObject([
      { version: 2 },
      { version: 2 },
    ]);
  });

  test('RP8: believes the database where that has forgotten the key', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'first' });
    await client.patch('profile', id, { name: 'second' });
    const session = client.session();
    await session.get('profile', id);
    const sql = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await sql.connect();
    await sql.query(`delete from lockstep_keys where key = $1`, [String(id)]);
    await sql.end();
    await client.invalidate([{ resource: 'profile', key: id }]);
    expect(await session.get('profile', id)).toMatchObject({
      version: 0,
      value: { name: 'second' },
    });
  });
});
