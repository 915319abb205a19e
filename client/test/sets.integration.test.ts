/** Set-based writes through the client. */
import { describe, expect, test } from 'vitest';
import { failureOf } from './support/heard.ts';
import { useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

describe('a set', () => {
  test('W24: is changed by a filter, and read at its new versions by the session', async () => {
    const client = await bed.ready();
    const [one, two, other] = [newId(), newId(), newId()];
    for (const id of [one, two, other]) await client.put('account', id, { owner: `set-${id}` });
    const where = { id: { $in: [one, two, other] }, owner: { $ne: `set-${other}` } };
    const changed = await client.updateWhere('account', where, { $inc: { balance: 7 } });
    expect(changed).toMatchObject({
      ...{ resource: 'account', affected: 2, outcome: 'applied', cache: 'fresh' },
      ...{ keys: [one, two].sort((a, b) => a - b).map(String), versions: [2, 2] },
    });
    expect(await client.get('account', one)).toMatchObject({ version: 2 });
    expect(await client.get('account', other)).toMatchObject({ version: 1 });
    const removed = await client.deleteWhere('account', { id: { $in: [one, two] } });
    expect(removed.affected).toBe(2);
    expect(await client.get('account', one)).toBeNull();
  });

  test('is refused with the paths of what is wrong', async () => {
    const client = await bed.ready();
    expect(await failureOf(client.deleteWhere('account', {}))).toMatchObject({
      ...{ code: 'INVALID', details: { errors: [{ path: 'where' }] } },
    });
    const like = { owner: { $like: 'x%' } as object };
    expect(await failureOf(client.deleteWhere('account', like))).toMatchObject({
      ...{ code: 'INVALID', details: { errors: [{ path: 'where.owner.$like' }] } },
    });
  });
});
