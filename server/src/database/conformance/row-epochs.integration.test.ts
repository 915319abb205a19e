import { beforeEach, describe, expect, it } from 'vitest';
import { makeKey, type Key } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import type { RowWrite } from '../port.ts';
import { patch, put, remove, useRowStore } from '../testing/row-store.ts';

/** Writes of a resource whose policy was switched, against a real server. */
describe.each(installedClients())('row store on %s: epochs', (client) => {
  const store = useRowStore(client);
  const at = (epoch: number, id: number): Key =>
    makeKey({ ...store.resources.account, epoch }, [String(id)]);
  const now = client === 'pg' ? 'now()' : 'now(6)';

  beforeEach(async () => {
    await store.database.execute('delete from lockstep_policies');
    await store.database.execute(
      `insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at) values ('account', 2, true, '', ${now})`,
    );
  });

  it('admits writes of the epoch that is the cluster’s (P7)', async () => {
    expect(await store.write(at(2, 1), put({ owner: 'ann' }))).toMatchObject({ version: 1 });
    expect(await store.write(at(2, 1), patch({ owner: 'bea' }), { fence: 5 })).toMatchObject({
      version: 2,
    });
    expect(await store.write(at(2, 1), remove)).toMatchObject({ version: 3 });
  });

  it('refuses every kind of write of an earlier epoch, and applies nothing of it (P7)', async () => {
    await store.write(at(2, 1), put({ owner: 'ann' }));
    const fenced = { code: 'FENCED', outcome: 'not_applied' };
    for (const change of [
      put({ owner: 'x' }),
      put({ owner: 'x' }, true),
      patch({ small: 1 }),
      remove,
    ]) {
      const id = change.op === 'put' && change.onlyCreate ? 9 : 1;
      await expect(store.write(at(1, id), change, { outbox: true })).rejects.toMatchObject(fenced);
    }
    await expect(store.write(at(1, 1), patch({ small: 1 }), { fence: 9 })).rejects.toMatchObject(
      fenced,
    );
    expect(await store.read(at(2, 1))).toMatchObject({
      version: 1,
      fence: 0,
      row: { owner: 'ann' },
    });
    await store.expectRows('select id from lockstep_outbox', 0);
  });

  it('refuses it when the resource has gone on while the write was on its way (P7)', async () => {
    await store.write(at(2, 1), put({ owner: 'ann' }));
    await store.database.execute(
      "update lockstep_policies set epoch = 3 where resource = 'account'",
    );
    await expect(store.write(at(2, 1), patch({ small: 1 }))).rejects.toMatchObject({
      code: 'FENCED',
    });
    expect(await store.write(at(3, 1), patch({ small: 1 }))).toMatchObject({ version: 2 });
  });

  describe('in a transaction', () => {
    const note = (epoch?: number): Key =>
      makeKey({ ...store.resources.note, ...(epoch === undefined ? {} : { epoch }) }, ['a', '1']);
    const together = (writes: Pick<RowWrite, 'key' | 'change'>[]) =>
      store.database.rows.writeTogether({
        writes: writes.map((write) => ({ outbox: true, ...write })),
      });

    it('refuses all of it where one resource is of an earlier epoch, and names that one (P7)', async () => {
      const writes = [
        { key: note(), change: put({ body: 'x' }) },
        { key: at(1, 1), change: put({ owner: 'ann' }) },
      ];
      await expect(together(writes)).rejects.toMatchObject({
        ...{ code: 'FENCED', outcome: 'not_applied', details: { operation: 1 } },
      });
      for (const table of ['accounts', 'notes', 'lockstep_outbox']) {
        await store.expectRows(`select 1 from ${table}`, 0);
      }
      const now = [
        { key: note(), change: put({ body: 'x' }) },
        { ...writes[1], key: at(2, 1) },
      ];
      expect(await together(now as typeof writes)).toMatchObject({ status: 'applied' });
    });

    it('never waits crosswise with a switch of the same resources, whatever its own order is', async () => {
      await store.database.execute(
        `insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at) values ('note', 1, true, '', ${now})`,
      );
      const hold = (resource: string) => {
        const text = `select 1 from lockstep_policies where resource = '${resource}' for update`;
        return { pg: text, mysql2: text };
      };
      const { writing } = await store.database.sql.transaction(async (session) => {
        await session.run(hold('account'));
        const started = together([
          { key: note(1), change: put({ body: 'x' }) },
          { key: at(2, 1), change: put({ owner: 'ann' }) },
        ]);
        // MySQL: a write waits for the policies. PostgreSQL: it does not, and ends meanwhile.
        await (client === 'mysql2' ? store.blocked(1) : started);
        await session.run(hold('note'));
        return { writing: started };
      });
      expect(await writing).toMatchObject({ status: 'applied' });
    });
  });
});
