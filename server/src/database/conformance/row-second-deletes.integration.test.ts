import { describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { RowWrite } from '../port.ts';
import { applied, patch, put, remove, useRowStore } from '../testing/row-store.ts';

const TWICE: Partial<RowWrite> = { outbox: true, secondDeleteAfterMs: 90_000 };

/** The outbox rows of a write that asks for a second delete, against a real server. */
describe.each(installedClients())('row store on %s: second deletes', (client) => {
  const store = useRowStore(client);
  const { account, owned, write } = store;
  const outbox = async () => {
    const key = client === 'pg' ? 'key' : '`key`';
    const left = {
      pg: 'extract(epoch from due_at - created_at)::integer',
      mysql2: 'timestampdiff(second, created_at, due_at)',
    }[client];
    const sql = `select id, ${key} as text, version, ${left} as due_in, related, retry_at = due_at as held
        from lockstep_outbox order by id`;
    return (await store.database.sql.run({ pg: sql, mysql2: sql })).rows;
  };

  it('leaves a second row that falls due later, in the write’s own commit (P1)', async () => {
    for (const change of [put({ owner: 'ann' }), patch({ owner: 'bea' }), remove]) {
      const { outboxId, version } = applied(await write(account(1), change, TWICE));
      const [first, second, ...more] = await outbox();
      expect(more).toEqual([]);
      expect(first).toMatchObject({ id: outboxId, version: String(version), due_in: null });
      expect(second).toMatchObject({ text: '1', version: String(version), due_in: '90' });
      expect(['t', '1']).toContain(second?.held);
      await store.database.execute('delete from lockstep_outbox');
    }
  });

  it('leaves neither where the write is refused (P1)', async () => {
    await write(account(1), put({ owner: 'ann' }));
    await write(account(2), put({ owner: 'ann' }), TWICE);
    await write(account(3), patch({ owner: 'cat' }), TWICE);
    expect(await outbox()).toEqual([]);
  });

  it('names what is related to the row in both (P1)', async () => {
    await write(owned(1), put({ owner: 'ann' }), TWICE);
    const [first, second] = await outbox();
    expect(first?.related).toContain('ann');
    expect(second?.related).toBe(first?.related);
  });

  it('leaves both for each of many writes that share a statement (P1)', async () => {
    const ids = [1, 2, 3, 4, 5, 6, 7, 8];
    for (const id of ids) await write(account(id), put({ owner: `o${id}` }));
    await Promise.all(ids.map((id) => write(account(id), patch({ small: id }), TWICE)));
    const rows = await outbox();
    expect(rows.filter(({ due_in }) => due_in === null)).toHaveLength(ids.length);
    expect(new Set(rows.filter(({ due_in }) => due_in === '90').map(({ text }) => text)).size).toBe(
      ids.length,
    );
  });
});
