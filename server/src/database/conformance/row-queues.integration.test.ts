import { describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { makeKey } from '../../domain/index.ts';
import type { RowWrite, RowWriteResult } from '../port.ts';
import { applied, patch, put, refusalReason, remove, useRowStore } from '../testing/row-store.ts';

const CROWD = 70;

const result = (ended: RowWriteResult | Error | null | undefined): RowWriteResult => {
  if (ended === null || ended === undefined || ended instanceof Error)
    throw new Error(`no result: ${String(ended)}`);
  return ended;
};
const versionOf = (ended: RowWriteResult | Error | null | undefined): number =>
  applied(result(ended)).version;

/** What every row store must do with writes of one key that follow one another, however it carries them out. */
describe.each(installedClients())('row store on %s: writes of one key in order', (client) => {
  const store = useRowStore(client);
  const { account, owned, write, read, expectRows } = store;
  const inOrder = (writes: RowWrite[]) => store.database.rows.writeInOrder(writes);
  const idempotency = (key: string) => ({ key, requestHash: `hash of ${key}` });
  const one = (rest: Partial<RowWrite> & Pick<RowWrite, 'change'>): RowWrite => ({
    key: account(1),
    outbox: false,
    ...rest,
  });
  const fill = () => write(account(1), put({ owner: 'o', balance: 0, note: 'n' }));

  it('W16: each has its own version and answers the row as it left it', async () => {
    const writes = [
      one({ change: put({ owner: 'first', balance: 1 }) }),
      ...Array.from({ length: CROWD }, (_, index) =>
        one({ change: patch({ note: `n${index}` }, { balance: '1' }) }),
      ),
      one({ change: remove }),
      one({ change: put({ owner: 'again' }, true) }),
    ];
    const ended = (await inOrder(writes)).map(result).map(applied);
    expect(ended.map(({ version }) => version)).toEqual(writes.map((_, index) => index + 1));
    expect(ended.map(({ created }) => created)).toEqual(
      writes.map((_, index) => index === 0 || index === CROWD + 2),
    );
    for (let index = 0; index < CROWD; index += 1)
      expect(ended[index + 1]?.row).toMatchObject({ note: `n${index}`, balance: index + 2 });
    expect(ended[CROWD + 1]?.row).toBeNull();
    expect(await read(account(1))).toMatchObject({
      version: CROWD + 3,
      row: { owner: 'again', balance: 10 },
    });
  });

  it('W16: If-Match names what the write before it left, and a mismatch refuses only its own', async () => {
    await fill();
    const ended = await inOrder([
      one({ change: patch({ note: 'a' }), ifMatch: 1 }),
      one({ change: patch({ note: 'b' }), ifMatch: 1 }),
      one({ change: patch({ note: 'c' }), ifMatch: 2 }),
      one({ change: patch({ note: 'd' }) }),
    ]);
    expect(ended.map(result).map(({ status }) => status)).toEqual([
      ...['applied', 'refused', 'applied', 'applied'],
    ]);
    expect(refusalReason(result(ended[1]))).toBe('version-mismatch');
    expect(versionOf(ended[3])).toBe(4);
    expect(await read(account(1))).toMatchObject({ version: 4, row: { note: 'd' } });
  });

  it('W7, W16: one that is refused between others with fences is refused, and not fenced out', async () => {
    await fill();
    const ended = await inOrder([
      one({ change: patch({ note: 'a' }), fence: 5 }),
      one({ change: patch({ note: 'b' }), fence: 6, ifMatch: 1 }),
      one({ change: patch({ note: 'c' }), fence: 7 }),
    ]);
    expect(ended.map(result).map(({ status }) => status)).toEqual([
      ...['applied', 'refused', 'applied'],
    ]);
    expect(await read(account(1))).toMatchObject({ version: 3, fence: 7, row: { note: 'c' } });
  });

  it.each([0, 2, 4])('W16: one that a constraint refuses fails alone (at %i)', async (at) => {
    await fill();
    const ended = await inOrder(
      Array.from({ length: 5 }, (_, index) =>
        one({ change: patch({ note: `n${index}` }, { balance: index === at ? '-5000' : '1' }) }),
      ),
    );
    for (const [index, each] of ended.entries()) {
      if (index === at) expect(refusalReason(result(each))).toBe('constraint');
      else expect(versionOf(each)).toBe(index < at ? index + 2 : index + 1);
    }
    expect(await read(account(1))).toMatchObject({ version: 5, row: { balance: 4 } });
  });

  it('W6, W16: repeats of one idempotency key that come together are applied once', async () => {
    await fill();
    const asked = (key: string): RowWrite =>
      one({ change: patch({}, { balance: '1' }), idempotency: idempotency(key) });
    const ended = await inOrder([asked('x'), asked('x'), asked('y'), asked('x')]);
    expect(ended.map(result).map(({ status }) => status)).toEqual([
      ...['applied', 'replayed', 'applied', 'replayed'],
    ]);
    expect(ended[3]).toMatchObject({ record: { result: { status: 'applied', version: 2 } } });
    expect((await inOrder([asked('z'), asked('y')])).map(result)).toMatchObject([
      { status: 'applied', version: 4 },
      { status: 'replayed', record: { result: { version: 3 } } },
    ]);
    expect(await read(account(1))).toMatchObject({ version: 4, row: { balance: 3 } });
  });

  it('W7: each stores its fence, and all below a fence that is stored already are fenced out', async () => {
    await fill();
    await store.database.rows.raiseFence(account(1), 10);
    const fenced = (fence: number): RowWrite => one({ change: patch({ note: `${fence}` }), fence });
    const ended = await inOrder([fenced(9), fenced(10), fenced(11), fenced(12)]);
    expect(ended.map(result).map(({ status }) => status)).toEqual([
      ...['fenced', 'fenced', 'applied', 'applied'],
    ]);
    expect(await read(account(1))).toMatchObject({ version: 3, fence: 12, row: { note: '12' } });
  });

  it('W5: each leaves an outbox row with its own version and its related columns', async () => {
    const key = owned(1);
    await write(key, put({ owner: 'o', balance: 0 }));
    const ended = await store.database.rows.writeInOrder(
      ['p', 'q', 'r'].map((owner) => ({ key, change: patch({ owner }), outbox: true })),
    );
    const rows = ended.map(result).map(applied);
    expect(new Set(rows.map(({ outboxId }) => outboxId)).size).toBe(3);
    expect(rows.map(({ related }) => related)).toMatchObject([
      { before: { owner: 'o' }, after: { owner: 'p' } },
      { before: { owner: 'p' }, after: { owner: 'q' } },
      { before: { owner: 'q' }, after: { owner: 'r' } },
    ]);
    await expectRows('select id from lockstep_outbox where version in (2, 3, 4)', 3);
  });

  it('W5: each leaves its second delete too', async () => {
    await fill();
    const change = patch({}, { balance: '1' });
    const ended = await inOrder([
      one({ change, outbox: true, secondDeleteAfterMs: 60_000 }),
      one({ change, outbox: true }),
      one({ change, outbox: true, secondDeleteAfterMs: 60_000 }),
    ]);
    expect(ended.map(versionOf)).toEqual([2, 3, 4]);
    await expectRows('select id from lockstep_outbox where due_at is null', 3);
    await expectRows(
      'select id from lockstep_outbox where due_at is not null and version in (2, 4)',
      2,
    );
  });

  it('W16: one that would only make a row, and one for a row that is gone, are refused between others', async () => {
    const ended = await inOrder([
      one({ change: patch({ note: 'no row yet' }) }),
      one({ change: put({ owner: 'made' }, true) }),
      one({ change: put({ owner: 'made twice' }, true) }),
      one({ change: remove }),
      one({ change: remove }),
      one({ change: patch({ note: 'no row any more' }) }),
      one({ change: put({ owner: 'back' }) }),
    ]);
    expect(ended.map(result).map((each) => refusalReason(each) ?? versionOf(each))).toEqual([
      ...['not-found', 1, 'exists', 2, 'not-found', 'not-found', 3],
    ]);
    expect(await read(account(1))).toMatchObject({ version: 3, row: { owner: 'back' } });
  });

  it('V2, W16: a tag of another program’s change names the row until the first of them is applied', async () => {
    await fill();
    await store.database.execute("update accounts set note = 'by others' where id = 1");
    const { tag = '' } = await read(account(1));
    const ended = await inOrder([
      one({ change: patch({ note: 'a' }), ifMatch: 1 }),
      one({ change: patch({ note: 'b' }), ifMatch: 1, ifMatchTag: tag }),
      one({ change: patch({ note: 'c' }), ifMatch: 2, ifMatchTag: tag }),
      one({ change: patch({ note: 'd' }), ifMatch: 2 }),
    ]);
    expect(ended.map(result).map((each) => refusalReason(each) ?? versionOf(each))).toEqual([
      ...['version-mismatch', 2, 'version-mismatch', 3],
    ]);
    const last = await read(account(1));
    expect(last).toMatchObject({ version: 3, row: { note: 'd' } });
    expect(last).not.toHaveProperty('tag');
  });

  it('W7: one that holds other fences than the stored one is fenced out, and the others are not', async () => {
    await fill();
    await store.database.rows.raiseFence(account(1), 4);
    const change = patch({}, { balance: '1' });
    const ended = await inOrder([
      one({ change, fence: 5, heldFences: [4] }),
      one({ change, fence: 6, heldFences: [4] }),
      one({ change, fence: 7, heldFences: [4, 5, 6] }),
    ]);
    expect([ended[0], ended[2]].map(versionOf)).toEqual([2, 3]);
    expect(ended[1]).not.toMatchObject({ status: 'applied' });
    expect(await read(account(1))).toMatchObject({ version: 3, fence: 7, row: { balance: 2 } });
  });

  it('P7: all that follow an earlier policy are refused, and nothing of them is applied', async () => {
    await fill();
    const now = client === 'pg' ? 'now()' : 'now(6)';
    await store.database.execute(
      `insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at) values ('account', 2, true, '', ${now})`,
    );
    try {
      const of = (epoch: number) => {
        const key = makeKey({ ...store.resources.account, epoch }, ['1']);
        return inOrder(['a', 'b'].map((note) => one({ key, change: patch({ note }) })));
      };
      expect((await of(1))[0]).toMatchObject({ code: 'FENCED' });
      expect((await read(account(1))).version).toBe(1);
      expect((await of(2)).map(versionOf)).toEqual([2, 3]);
    } finally {
      await store.database.execute('delete from lockstep_policies');
    }
  });

  it('W16: each kind of value, and NULL, is left as one alone leaves it', async () => {
    await fill();
    const set = {
      ...{ rate: '12.30', score: 1.5, small: -3, active: false, doc: { a: [1, 'b', null] } },
      ...{ seen: '2026-01-02T03:04:05.678Z', born: '2026-01-02' },
    };
    const empty = { rate: null, score: null, small: null, seen: null, born: null, doc: null };
    const ended = await inOrder([
      one({ change: patch(set) }),
      one({ change: patch({ ...empty, active: true }) }),
      one({ change: put({ owner: 'replaced' }) }),
    ]);
    const rows = ended.map(result).map((each) => applied(each).row);
    expect(rows).toMatchObject([
      set,
      { ...empty, active: true },
      { owner: 'replaced', note: null, balance: 10, twice: 20 },
    ]);
  });

  it('W16: of composite keys that look like statements change their own row only', async () => {
    const shelf = `it's "\\'; delete from notes; -- `;
    const [key, other] = ['1', '2'].map((place) => makeKey(store.resources.note, [shelf, place]));
    if (key === undefined || other === undefined) throw new Error('no keys');
    await write(other, put({ body: 'other' }));
    const bodies = ['first', `'; delete from notes; -- ? :key`, '{"b",\\}'];
    const ended = await inOrder(bodies.map((body) => one({ key, change: put({ body }) })));
    expect(ended.map(result).map((each) => applied(each).row)).toMatchObject(
      bodies.map((body) => ({ shelf, body })),
    );
    expect(await read(other)).toMatchObject({ version: 1, row: { body: 'other' } });
  });

  it('W8: wait for another program that changes the row, and lose nothing of either', async () => {
    await fill();
    const sql = 'update accounts set balance = balance + 100 where id = 1';
    let sent: ReturnType<typeof inOrder> | undefined;
    await store.database.sql.transaction(async (session) => {
      await session.run({ pg: sql, mysql2: sql });
      sent = inOrder(Array.from({ length: 5 }, () => one({ change: patch({}, { balance: '1' }) })));
      // One transaction: one statement waits.
      await store.blocked(1);
    });
    expect((await sent)?.map(versionOf)).toEqual([2, 3, 4, 5, 6]);
    expect(await read(account(1))).toMatchObject({ version: 6, row: { balance: 105 } });
  });

  it('W8: writes of one key that come at once by themselves give one gapless chain of versions', async () => {
    await fill();
    const results = await Promise.all(
      Array.from({ length: CROWD }, (_, index) =>
        index % 10 === 3
          ? write(account(1), patch({ balance: -5_000 }))
          : write(account(1), patch({ note: `n${index}` }, { balance: '1' }), { outbox: true }),
      ),
    );
    const refused = results.filter((each) => refusalReason(each) === 'constraint');
    expect(refused).toHaveLength(CROWD / 10);
    const versions = results
      .filter(({ status }) => status === 'applied')
      .map((each) => applied(each).version)
      .sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: (CROWD / 10) * 9 }, (_, index) => index + 2));
    expect(await read(account(1))).toMatchObject({ row: { balance: (CROWD / 10) * 9 } });
  });
});
