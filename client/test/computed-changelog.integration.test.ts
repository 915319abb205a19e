import { Client as Database } from 'pg';
import { eventually } from '@lockstep/testkit/poll';
import { expect, test } from 'vitest';
import { useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const bed = useBed({ changeLog: { mode: 'on' } });

test('a change that another program makes takes computed values away', async () => {
  const client = await bed.ready();
  const id = newId();
  await client.put('profile', id, { name: 'Ada' });
  const name = async (): Promise<unknown> => {
    const row = await client.get('profile', id, { consistency: 'primary' });
    return row?.value['name'];
  };
  // The log reports the write above too, and takes away once more what was computed before it did.
  await eventually(async () =>
    expect(await client.computed('profile-card', id, name)).toEqual({
      ...{ value: 'Ada', source: 'cache' },
    }),
  );
  const database = new Database(bed.instance.runtime.databaseUrl);
  await database.connect();
  try {
    await database.query('update profiles set name = $2 where id = $1', [id, 'Eve']);
  } finally {
    await database.end();
  }
  await eventually(async () =>
    expect(await client.computed('profile-card', id, name)).toMatchObject({ value: 'Eve' }),
  );
});
