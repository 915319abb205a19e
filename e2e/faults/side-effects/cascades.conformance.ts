import { expect, test } from 'vitest';
import type { KeyParts } from '../../support/api-client.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

/** What foreign keys change with a row, over HTTP: the cache says what the database says, at once. */
export function describeCascades(bed: TestBed): void {
  const put = async (resource: string, key: KeyParts, value: object): Promise<void> => {
    expect(await bed.api.put(resource, key, value)).toMatchObject({ status: 201 });
  };
  /** Reads through the cache until it holds the row (or that there is none). */
  const cached = async (resource: string, key: KeyParts): Promise<void> => {
    for (const _ of [1, 2]) await bed.api.get(resource, key);
  };
  /** What a read answers, which must be what the primary has. */
  const agreed = async (resource: string, key: KeyParts) => {
    const read = await bed.api.get(resource, key);
    const primary = await bed.api.get(resource, key, '?consistency=primary');
    expect([read.status, read.body.value]).toEqual([primary.status, primary.body.value]);
    return read;
  };

  /** A country with a city, a street and a visitor, all cached. */
  const country = async (): Promise<{ code: string; id: number }> => {
    const id = newId();
    const code = `c${id}`;
    await put('country', code, { name: 'old' });
    await put('city', id, { country: code });
    await put('street', id, { city: id });
    await put('visitor', id, { street: id });
    for (const [resource, key] of [['country', code], ...DOWN.map((each) => [each, id])])
      await cached(String(resource), key as KeyParts);
    return { code, id };
  };
  const DOWN = ['city', 'street', 'visitor'];

  test('a delete that cascades three levels leaves no old entry, strict ones included (W14)', async () => {
    const { code, id } = await country();
    const deleted = await bed.api.delete('country', code);
    expect(deleted).toMatchObject({ status: 200, body: { value: null, cache: 'invalidated' } });
    expect((await agreed('country', code)).status).toBe(404);
    expect((await agreed('city', id)).status).toBe(404);
    expect((await agreed('street', id)).status).toBe(404);
    expect((await agreed('visitor', id)).body.value).toEqual({ id, street: null });
    expect(await bed.api.put('city', id, {})).toMatchObject({ status: 201, body: { version: 3 } });
  });

  test('every resource over a table is reached, strict ones and others (W14, K2)', async () => {
    const { code, id } = await country();
    const over = ['city', 'city-board', 'city-name'];
    for (const resource of over) await cached(resource, id);
    const next = `n${id}`;
    const versions = new Set<unknown>();
    expect(await bed.api.put('country', next, {})).toMatchObject({ status: 201 });
    expect(await bed.api.patch('city-name', id, { name: 'new' })).toMatchObject({ status: 200 });
    for (const resource of over) versions.add((await agreed(resource, id)).body.version);
    expect([...versions]).toEqual([2]);
    expect(await bed.api.delete('country', code)).toMatchObject({ status: 200 });
    for (const resource of over) expect((await agreed(resource, id)).status).toBe(404);
    expect((await agreed('street', id)).status).toBe(404);
    const again = await bed.api.put('city-board', id, { country: next });
    expect(again).toMatchObject({ status: 201, body: { version: 4 } });
  });

  test('as is one that begins at a resource which shares its rows with strict ones', async () => {
    const { id } = await country();
    for (const resource of ['city', 'city-board', 'city-name']) await cached(resource, id);
    expect(await bed.api.delete('city-board', id)).toMatchObject({ status: 200 });
    for (const resource of ['city', 'city-board', 'city-name', 'street'])
      expect((await agreed(resource, id)).status).toBe(404);
    expect((await agreed('visitor', id)).body.value).toEqual({ id, street: null });
  });

  test('as is one in a transaction, and its repeat gets the same answer', async () => {
    const { code, id } = await country();
    const other = newId();
    const operations = [
      { op: 'delete', resource: 'country', key: code },
      { op: 'put', resource: 'country', key: `c${other}`, value: { name: 'new' } },
    ];
    const answer = await bed.api.post('/v1/transactions', { operations });
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body.results).toHaveLength(2);
    for (const resource of ['city', 'street', 'visitor']) await agreed(resource, id);
    expect((await agreed('city', id)).status).toBe(404);

    const next = await country();
    const headers = { 'idempotency-key': `cascade-${next.id}` };
    const path = `/v1/resources/country/${next.code}`;
    const first = await bed.api.call('DELETE', path, { headers });
    const again = await bed.api.call('DELETE', path, { headers });
    expect(first.status).toBe(200);
    expect([again.status, again.body.version]).toEqual([200, first.body.version]);
    expect((await agreed('city', next.id)).status).toBe(404);
  });

  test('a refused one changes nothing, and strict rows go on', async () => {
    const { code, id } = await country();
    const path = `/v1/resources/country/${code}`;
    const refused = await bed.api.call('DELETE', path, { headers: { 'if-match': '"9"' } });
    expect(refused).toMatchObject({ status: 412, body: { code: 'VERSION_MISMATCH' } });
    expect(refused.body.detail).not.toContain('Operation');
    expect((await agreed('city', id)).body.value).toMatchObject({ id, country: code });
    expect(await bed.api.patch('city', id, { name: 'x' })).toMatchObject({ status: 200 });
  });

  test('a tree that refers to itself is deleted as a whole', async () => {
    const ids = [newId(), newId(), newId(), newId(), newId()];
    for (const [index, id] of ids.entries())
      await put('tree', id, { parent: index === 0 ? null : (ids[index - 1] ?? null) });
    for (const id of ids) await cached('tree', id);
    expect(await bed.api.delete('tree', ids[1] ?? 0)).toMatchObject({ status: 200 });
    expect((await agreed('tree', ids[0] ?? 0)).status).toBe(200);
    for (const id of ids.slice(1)) expect((await agreed('tree', id)).status).toBe(404);
  });

  test('a key that changes with its parent is another row from then on', async () => {
    const id = newId();
    const [old, next] = [`u${id}`, `n${id}`];
    await put('unit', id, { code: old });
    await put('price', [old, 1], { amount: 5 });
    await cached('price', [old, 1]);
    await cached('price', [next, 1]);
    expect(await bed.api.patch('unit', id, { code: next })).toMatchObject({ status: 200 });
    expect((await agreed('price', [old, 1])).status).toBe(404);
    expect((await agreed('price', [next, 1])).body.value).toMatchObject({ code: next, amount: 5 });
    expect(await bed.api.delete('unit', id)).toMatchObject({ status: 200 });
    expect((await agreed('price', [next, 1])).status).toBe(404);
  });

  test('a trigger that sets the key that child rows refer to is followed', async () => {
    const id = newId();
    await put('maker', id, { code: `m${id}`, name: 'old' });
    await put('thing', id, { maker: `m${id}` });
    await cached('thing', id);
    const name = `c${id}`;
    expect(await bed.api.patch('maker', id, { name })).toMatchObject({
      status: 200,
      body: { value: { id, code: name, name } },
    });
    expect((await agreed('thing', id)).body.value).toEqual({ id, maker: name });
  });

  test('a row with a trigger and too many children is written, because the write changes no child', async () => {
    const id = newId();
    await put('maker', id, { code: `m${id}`, name: 'old' });
    const things = Array.from({ length: 10_001 }, (_, index) => `(${-1 - index}, 'm${id}')`);
    await bed.behind.sql(`insert into thing (id, maker) values ${things.join(', ')}`);
    expect(await bed.api.patch('maker', id, { name: 'new' })).toMatchObject({ status: 200 });
    const moved = await bed.api.patch('maker', id, { name: `c${id}` });
    expect([moved.status, moved.body.code]).toEqual([413, 'TOO_LARGE']);
    expect((await agreed('maker', id)).body.value).toEqual({ id, code: `m${id}`, name: 'new' });
  });

  test('many concurrent ones lose nothing and leave nothing behind', async () => {
    const { code, id } = await country();
    const cities = Array.from({ length: 8 }, () => newId());
    for (const city of cities) await put('city', city, { country: code });
    const answers = await Promise.all([
      ...cities.map((city) => bed.api.patch('city', city, { name: 'busy' })),
      bed.api.delete('country', code),
      ...cities.map((city) => bed.api.get('city', city)),
      bed.api.put('city', newId(), { country: code }),
    ]);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    for (const city of [...cities, id]) expect((await agreed('city', city)).status).toBe(404);
  });
}
