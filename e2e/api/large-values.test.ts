import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import { expectProblem } from '../support/problem.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';

const MIB = 1024 * 1024;
/** As in the configuration below. */
const UNSENT_BYTES = 4 * MIB;
/** Deeper than the built-in writing of JSON goes, and not as deep as PostgreSQL does. */
const DEPTH = 5_500;

let instance: Instance;
let api: ApiClient;
let door: SideDoor;
const sampleId = (): number => newId() % 2_000_000_000;

beforeAll(async () => {
  instance = await startInstance({
    config: embeddedShop({ limits: { unsentBytes: UNSENT_BYTES } }),
    files: { 'shop.sql': SHOP_SQL.pg },
  });
  api = new ApiClient(instance.url, instance.runtime.serviceToken);
  door = openSideDoor(instance.runtime);
});
afterAll(async () => {
  await api?.close();
  await door?.close();
  await instance?.dispose();
});

describe('a value that another program has stored', () => {
  test.each([
    ['arrays', '['.repeat(DEPTH) + ']'.repeat(DEPTH)],
    ['objects', '{"a":'.repeat(DEPTH) + '1' + '}'.repeat(DEPTH)],
    ['arrays beside a long number', `[1.10,${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}]`],
  ])('is answered, cached and kept however deep it is nested: %s (J1)', async (_, document) => {
    const id = sampleId();
    await door.sql('INSERT INTO samples (id, document) VALUES (?, ?)', [id, document]);
    const primary = await api.get('sample', id, '?consistency=primary');
    const miss = await api.get('sample', id);
    const cached = await api.get('sample', id);
    expect(cached.body.source).toBe('cache');
    const patched = await api.patch('sample', id, { small: 1 });
    const batch = await api.post('/v1/batch', {
      operations: [{ op: 'get', resource: 'sample', key: id }],
    });
    for (const answer of [primary, miss, cached, patched, batch]) {
      expect(answer.status).toBe(200);
      expect(answer.text.includes(`"document":${document}`)).toBe(true);
    }
  });

  test('is refused with a code if no answer can hold it, and a write of its row still reports its outcome', async () => {
    const id = sampleId();
    await door.sql(
      `INSERT INTO samples (id, raw) VALUES (?, decode(repeat('ab', ${UNSENT_BYTES}), 'hex'))`,
      [id],
    );
    for (const query of ['?consistency=primary', '', '']) {
      expectProblem(await api.get('sample', id, query), 'TOO_LARGE');
    }
    const patched = await api.patch('sample', id, { small: 7 });
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ outcome: 'applied', version: 1, valueOmitted: true });
    expect('value' in patched.body).toBe(false);
    const [row] = await door.sql('SELECT small, length(raw) AS bytes FROM samples WHERE id = ?', [
      id,
    ]);
    expect([Number(row?.['small']), Number(row?.['bytes'])]).toEqual([7, UNSENT_BYTES]);
  });

  test('is read whole even if it is larger than the limit on bodies', async () => {
    const id = sampleId();
    await door.sql(
      `INSERT INTO samples (id, raw) VALUES (?, decode(repeat('ab', ${MIB}), 'hex'))`,
      [id],
    );
    const whole = Buffer.alloc(MIB, 0xab).toString('base64');
    for (const source of ['primary', 'cache']) {
      const { status, body } = await api.get('sample', id);
      expect([status, body.source]).toEqual([200, source]);
      expect(body.value?.['raw'] === whole).toBe(true);
    }
  });
});
