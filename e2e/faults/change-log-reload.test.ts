import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const profile = {
  table: 'profiles',
  key: ['id'],
  cacheKey: 'profile:{id}',
  policy: 'delete-after-write',
};
const note = { table: 'notes', key: ['id'], cacheKey: 'note:{id}', policy: 'delete-after-write' };
const CHANGE_LOG = { mode: 'on' };

const bed = useInstance(() => ({
  config: embeddedShop({ resources: { profile }, changeLog: CHANGE_LOG }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

test('a resource that a reload adds is followed by the change log (C1)', async () => {
  await untilAllIsWell(bed);
  const resources = { profile, note };
  const config = embeddedShop({ resources, changeLog: CHANGE_LOG });
  writeFileSync(bed.instance.configPath, JSON.stringify(config));
  const reloaded = await bed.admin.post('/v1/ops/reload', {});
  expect(reloaded.status, reloaded.text).toBe(200);
  const id = newId();
  expect((await bed.api.put('note', id, { text: 'through Lockstep' })).status).toBe(201);
  await eventually(async () => {
    await bed.api.get('note', id);
    expect((await bed.api.get('note', id)).body.source).toBe('cache');
  });
  await bed.behind.sql(`update notes set text = 'round it' where id = ${id}`);
  await eventually(async () => {
    expect((await bed.api.get('note', id)).body.value).toMatchObject({ text: 'round it' });
  });
});
