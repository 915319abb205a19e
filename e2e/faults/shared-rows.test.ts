/**
 * Several resources over one table, on two coordinators: whatever resource a write goes through, no strict read of the
 * row is old, and the row has one version and one lock.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient, type Answer, cell, type KeyParts } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import type { SqlClient } from '../support/shop.ts';

const OVER_PARTS = { table: 'parts', key: ['region', 'sku'] };
const SWAPPED = { table: 'parts', key: ['sku', 'region'] };
const RESOURCES = {
  part: { ...OVER_PARTS, policy: 'strict' },
  board: { ...SWAPPED, policy: 'strict', columns: ['sku', 'region', 'stock'] },
  stock: { ...SWAPPED, policy: 'delete-after-write' },
  shelf: { ...OVER_PARTS, policy: 'none' },
  late: { ...SWAPPED, policy: 'delayed-double-delete', secondDeleteAfter: '50ms' },
  member: { table: 'members', key: ['id'], policy: 'delete-after-write' },
  account: { table: 'accounts', key: ['id'], policy: 'delete-after-write' },
  'account-by-email': { table: 'accounts', key: ['email'], policy: 'delayed-double-delete' },
};
/** How each resource over `parts` names a row. */
const NAMES: [resource: string, keyOf: (sku: string) => KeyParts][] = [
  ['part', (sku) => ['eu', sku]],
  ['board', (sku) => [sku, 'eu']],
  ['stock', (sku) => [sku, 'eu']],
  ['shelf', (sku) => ['eu', sku]],
  ['late', (sku) => [sku, 'eu']],
];

describe.each<SqlClient>(['pg', 'mysql2'])('resources over one table on %s', (client) => {
  let servers: ExternalServers;
  const instances: Instance[] = [];
  let apis: ApiClient[] = [];
  let behind: SideDoor;
  let made = 0;

  beforeAll(async () => {
    servers = await startExternalServers(client);
    for (let index = 0; index < 2; index += 1)
      instances.push(await startInstance({ config: configOf(RESOURCES) }));
    apis = instances.map(({ runtime }) => new ApiClient(runtime.url, runtime.adminToken));
    behind = openSideDoor(at(instances, 0).runtime);
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.close()));
    await behind.close();
    await Promise.all(instances.map((instance) => instance.dispose()));
    await servers.stop();
  });

  const configOf = (resources: object): object => ({ ...servers.config, resources });
  const api = (index: number): ApiClient => at(apis, index % apis.length);
  const name = (index: number): (typeof NAMES)[number] => at(NAMES, index % NAMES.length);

  async function newPart(): Promise<string> {
    const sku = `sku ${(made += 1)}`;
    const answer = await api(0).put('part', ['eu', sku], { stock: 0 });
    expect(answer.status, answer.text).toBe(201);
    return sku;
  }

  async function reload(resources: object): Promise<void> {
    for (const { configPath } of instances)
      writeFileSync(configPath, JSON.stringify(configOf(resources)));
    for (const each of apis) {
      await eventually(async () => {
        const answer = await each.post('/v1/ops/reload', {});
        expect(JSON.parse(answer.text)).toMatchObject({ settled: true });
      });
    }
  }

  /** Adds to a few rows through every resource while others read them strictly; answers how often each was added to. */
  async function load(
    skus: readonly string[],
    rounds: number,
    readers: readonly (typeof NAMES)[number][],
    writers: readonly (typeof NAMES)[number][] = NAMES,
    before = 0,
  ): Promise<Map<string, number>> {
    const acknowledged = new Map(skus.map((sku) => [sku, before]));
    let isOver = false;
    const read = async (seed: number): Promise<void> => {
      for (let count = seed; !isOver; count += 1) {
        const sku = at(skus, count % skus.length);
        const [resource, keyOf] = at(readers, count % readers.length);
        const least = acknowledged.get(sku) ?? 0;
        const answer = await api(count >> 1).get(resource, keyOf(sku));
        expect(answer.status, answer.text).toBe(200);
        expect(Number(cell(answer, 'stock')), `${resource} ${sku}`).toBeGreaterThanOrEqual(least);
      }
    };
    const write = async (seed: number): Promise<void> => {
      for (let count = seed; count < seed + rounds; count += 1) {
        const sku = at(skus, count % skus.length);
        const [resource, keyOf] = at(writers, (count * 7) % writers.length);
        const answer = await api(count).patch(resource, keyOf(sku), { $inc: { stock: 1 } });
        expect(answer.status, `${resource}: ${answer.text}`).toBe(200);
        acknowledged.set(sku, (acknowledged.get(sku) ?? 0) + 1);
      }
    };
    const reading = Promise.all([1, 2, 3, 4].map(read));
    await Promise.all([5, 6, 7, 8].map(write)).finally(() => (isOver = true));
    await reading;
    return acknowledged;
  }

  test('K2: no strict read is old while all of them are written at once, and every write is applied once', async () => {
    const skus = [await newPart(), await newPart()];
    const strict = [name(0), name(1)];
    const acknowledged = await load(skus, 60, strict);
    for (const sku of skus) {
      const count = acknowledged.get(sku) ?? 0;
      for (const [resource, keyOf] of NAMES) {
        const answer = await api(0).get(resource, keyOf(sku));
        expect(Number(cell(answer, 'stock')), resource).toBe(count);
        expect(answer.body.version, resource).toBe(count + 1);
      }
      const rows = await behind.sql('select resource from lockstep_keys where version = ?', [
        count + 1,
      ]);
      expect(new Set(rows.map(({ resource }) => resource)).size).toBe(1);
    }
    await eventually(async () => {
      const [outbox] = await behind.sql('select count(*) as n from lockstep_outbox');
      expect(outbox?.['n']).toBe('0');
    });
  }, 120_000);

  test('K2: a write through any of them invalidates what others have cached, and keeps the condition', async () => {
    const sku = await newPart();
    for (const [index, [resource, keyOf]] of NAMES.entries()) {
      for (const [other, otherKey] of NAMES) await api(1).get(other, otherKey(sku));
      const tag = (await api(0).get(resource, keyOf(sku))).headers['etag'] ?? '';
      const written = await api(0).put(
        resource,
        keyOf(sku),
        { stock: 100 + index },
        { 'if-match': tag },
      );
      expect(written.status, `${resource}: ${written.text}`).toBe(200);
      for (const [other, otherKey] of NAMES) {
        const answer = await api(1).get(other, otherKey(sku));
        expect(Number(cell(answer, 'stock')), `${other} after ${resource}`).toBe(100 + index);
        const stale = { 'if-match': tag };
        const refused = await api(1).patch(other, otherKey(sku), { stock: 0 }, stale);
        expect(refused.status, `${other} after ${resource}`).toBe(412);
      }
    }
  });

  test('K2: a lease by one name holds the row for all, and a transaction may name a row only once', async () => {
    const sku = await newPart();
    const key = [sku, 'eu'];
    const lease = await api(0).post('/v1/leases', { resource: 'stock', key, ttl: '20s' });
    expect(lease.status, lease.text).toBe(201);
    const { id, resource } = JSON.parse(lease.text) as { id: string; resource?: string };
    expect(resource ?? 'stock').toBe('stock');
    for (const [other, otherKey] of NAMES) {
      const waits = { 'lockstep-timeout': '200' };
      const refused = await api(1).patch(other, otherKey(sku), { stock: 1 }, waits);
      if (other === 'part' || other === 'board')
        expect(refused.body.code, other).toBe('LOCK_TIMEOUT');
      expect(refused.status, other).toBe(503);
      const within = { 'lockstep-lease': id };
      const written = await api(0).patch(other, otherKey(sku), { $inc: { stock: 1 } }, within);
      expect(written.status, `${other}: ${written.text}`).toBe(200);
    }
    expect((await api(0).call('DELETE', `/v1/leases/${id}`)).status).toBeLessThan(300);
    expect(Number(cell(await api(1).get('board', [sku, 'eu']), 'stock'))).toBe(NAMES.length);
    const twice = await api(0).post('/v1/transactions', {
      operations: [
        { op: 'patch', resource: 'part', key: ['eu', sku], value: { stock: 1 } },
        { op: 'patch', resource: 'late', key: [sku, 'eu'], value: { stock: 2 } },
      ],
    });
    expect(twice.status).toBe(422);
    const other = await newPart();
    const together = await api(1).post('/v1/transactions', {
      operations: [
        { op: 'patch', resource: 'shelf', key: ['eu', sku], value: { stock: 7 } },
        { op: 'patch', resource: 'late', key: [other, 'eu'], value: { stock: 8 } },
      ],
    });
    expect(together.status, together.text).toBe(200);
    expect(Number(cell(await api(0).get('part', ['eu', sku]), 'stock'))).toBe(7);
    expect(Number(cell(await api(0).get('board', [other, 'eu']), 'stock'))).toBe(8);
  });

  test('K2: an invalidation by one name removes the entries of all', async () => {
    const sku = await newPart();
    for (const [resource, keyOf] of NAMES) await api(0).get(resource, keyOf(sku));
    await behind.sql('update parts set stock = 55 where sku = ?', [sku]);
    const keys = [{ resource: 'shelf', key: ['eu', sku] }];
    expect((await api(1).post('/v1/invalidations', { keys })).status).toBe(200);
    for (const [resource, keyOf] of NAMES)
      expect(Number(cell(await api(0).get(resource, keyOf(sku)), 'stock')), resource).toBe(55);
  });

  test('K2: keys by another column are invalidated by the row before and after the write', async () => {
    const id = (made += 1);
    const [old, now] = [`old-${id}@x.org`, `now-${id}@x.org`];
    await api(0).put('account', id, { owner: 'ann', email: old });
    const emails = {
      old: (): Promise<Answer> => api(1).get('account-by-email', old),
      now: () => api(1).get('account-by-email', now),
    };
    expect([(await emails.old()).status, (await emails.now()).status]).toEqual([200, 404]);
    await api(0).patch('account', id, { email: now, owner: 'bob' });
    expect((await emails.old()).status).toBe(404);
    expect(cell(await emails.now(), 'owner')).toBe('bob');
    expect(cell(await api(1).get('account', id), 'owner')).toBe('bob');
    await api(0).patch('account-by-email', now, { owner: 'cleo' });
    expect(cell(await api(1).get('account', id), 'owner')).toBe('cleo');
    await api(0).delete('account-by-email', now);
    expect((await api(1).get('account', id)).status).toBe(404);
  });

  test('K2: resources come, go and change their policy by reload, and no strict read is old', async () => {
    const sku = await newPart();
    const without = (...names: string[]): object =>
      Object.fromEntries(Object.entries(RESOURCES).filter(([each]) => !names.includes(each)));
    const steps: [object, number[]][] = [
      [without('board', 'shelf'), [0]],
      [RESOURCES, [0, 1]],
      [{ ...RESOURCES, part: { ...RESOURCES.part, policy: 'delete-after-write' } }, [1]],
      [without('part'), [1]],
      [RESOURCES, [0, 1]],
    ];
    let count = 0;
    for (const [resources, readers] of steps) {
      await reload(resources);
      const there = NAMES.filter(([each]) => each in resources);
      const loaded = await load([sku], 12, readers.map(name), there, count);
      count = loaded.get(sku) ?? 0;
      const answers = await Promise.all(there.map(([each, keyOf]) => api(1).get(each, keyOf(sku))));
      expect(answers.map((answer) => Number(cell(answer, 'stock')))).toEqual(
        there.map(() => count),
      );
      expect(answers.map(({ body }) => body.version)).toEqual(there.map(() => count + 1));
    }
  }, 120_000);
});

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`There is no element ${index}`);
  return found;
}
