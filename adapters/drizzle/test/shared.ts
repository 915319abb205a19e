import { expect, test } from 'vitest';
import { type AdapterSuite, newId } from '@lockstep/adapter-testing/suite';

export interface Totals {
  /** The sum of an owner's balances, cached. */
  total(owner: string): PromiseLike<{ total: string | null }[]>;
  /** The same within a transaction of its own, after the balance of an account was changed there. */
  totalInTransaction(owner: string, id: number, balance: number, failure?: Error): Promise<unknown>;
  /** The same, where the query fails. */
  failing(owner: string): PromiseLike<unknown>;
}

/** What Drizzle's cache must do on both databases. */
export function testCache({ bed }: AdapterSuite, totals: () => Totals): void {
  const cachedTotal = async (): Promise<{ owner: string; id: number }> => {
    const id = newId();
    const owner = `owner-${id}`;
    await bed().plain.run(`insert into accounts values (${id}, '${owner}', 5)`);
    expect(await totals().total(owner)).toEqual([{ total: '5' }]);
    await expect.poll(() => bed().state(`owner-total:${owner}`)).toBe('value');
    return { owner, id };
  };

  test('a query is cached until a row that it depends on is written', async () => {
    const { owner, id } = await cachedTotal();
    // A change that nothing tells Lockstep shows where the answer is from.
    await bed().plain.run(`update accounts set balance = 6 where id = ${id}`);
    expect(await totals().total(owner)).toEqual([{ total: '5' }]);
    await bed().lockstep.patch('account', id, { balance: 7 });
    await expect.poll(() => totals().total(owner)).toEqual([{ total: '7' }]);
  });

  test('a query in a transaction reads and fills nothing', async () => {
    const { owner, id } = await cachedTotal();
    const failure = new Error('the transaction fails');
    const failing = totals().totalInTransaction(owner, id, 9, failure);
    await expect(failing).rejects.toThrow(failure.message);
    expect(await totals().total(owner)).toEqual([{ total: '5' }]);
    await bed().lockstep.invalidate([{ resource: 'owner-total', key: owner }]);
    expect(await totals().totalInTransaction(owner, id, 9)).toEqual([{ total: '9' }]);
    expect(await bed().state(`owner-total:${owner}`)).not.toBe('value');
  });

  test('callers of one moment get the same answer', async () => {
    const id = newId();
    const owner = `owner-${id}`;
    await bed().plain.run(`insert into accounts values (${id}, '${owner}', 5)`);
    const answers = await Promise.all(Array.from({ length: 5 }, () => totals().total(owner)));
    expect(answers).toEqual(Array.from({ length: 5 }, () => [{ total: '5' }]));
  });

  test('a query that fails caches nothing, and the next one runs', async () => {
    const id = newId();
    const owner = `owner-${id}`;
    await expect(totals().failing(owner)).rejects.toThrow();
    await bed().plain.run(`insert into accounts values (${id}, '${owner}', 5)`);
    expect(await totals().total(owner)).toEqual([{ total: '5' }]);
  });
}
