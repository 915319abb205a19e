import { describe, expect, it } from 'vitest';
import { makeKey } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import {
  applied,
  patch,
  put,
  refusalReason,
  remove,
  unwrap,
  useRowStore,
} from '../testing/row-store.ts';

const CROWD = 60;
const KEY = { pg: 'key', mysql2: '`key`' };
const ids = Array.from({ length: CROWD }, (_, index) => index + 1);

/** A promise, and what resolves it. */
function signal(): [promise: Promise<void>, resolve: () => void] {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return [promise, resolve];
}

/** What every row store must do when many write to different rows at once, whether it combines their writes or not. */
describe.each(installedClients())('row store on %s: many writers of different rows', (client) => {
  const store = useRowStore(client);
  const { account, write, read, expectRows } = store;
  const fill = async (): Promise<void> => {
    await Promise.all(
      ids.map((id) => write(account(id), put({ owner: `o${id}`, balance: 0, note: 'n' }))),
    );
  };

  it('each get the answer to their own write, and one version more (W8)', async () => {
    await fill();
    const results = await Promise.all(
      ids.map((id) => write(account(id), patch({ note: `of ${id}` }, { balance: String(id) }))),
    );
    for (const [index, result] of results.entries()) {
      const id = unwrap(ids[index]);
      expect(applied(result)).toMatchObject({
        created: false,
        version: 2,
        row: { id, owner: `o${id}`, balance: id, note: `of ${id}`, twice: 2 * id },
      });
      expect(await read(account(id))).toMatchObject({ version: 2, row: { note: `of ${id}` } });
    }
  });

  it('replace rows by puts as one alone does: what is not given has its default', async () => {
    await fill();
    const results = await Promise.all(
      ids.map((id) => write(account(id), put({ owner: `p${id}` }))),
    );
    for (const result of results) {
      expect(applied(result)).toMatchObject({ created: false, version: 2 });
      expect(applied(result).row).toMatchObject({ balance: 10, note: null });
    }
  });

  it('carry every kind of value, and NULL, as one alone does', async () => {
    await fill();
    const set = {
      rate: '12.30',
      score: 1.5,
      small: -3,
      active: false,
      seen: '2026-01-02T03:04:05.678Z',
      born: '2026-01-02',
      doc: { a: [1, 'b', null] },
    };
    const empty = { rate: null, score: null, small: null, seen: null, born: null, doc: null };
    const results = await Promise.all(
      ids.map((id) => write(account(id), patch(id % 2 === 0 ? set : { ...empty, active: true }))),
    );
    for (const [index, result] of results.entries()) {
      const expected = unwrap(ids[index]) % 2 === 0 ? set : empty;
      expect(applied(result).row).toMatchObject(expected);
    }
  });

  it('W5: leave the related columns before and after with their outbox rows, and answer them', async () => {
    await Promise.all(
      ids.map((id) => write(store.owned(id), put({ owner: `o${id}`, balance: 0 }))),
    );
    const asked = { outbox: true, secondDeleteAfterMs: 1_000 };
    const results = await Promise.all(
      ids.map((id) => write(store.owned(id), patch({ owner: `p${id}` }), asked)),
    );
    for (const [index, result] of results.entries()) {
      const id = unwrap(ids[index]);
      expect(applied(result).related).toEqual({
        before: { owner: `o${id}` },
        after: { owner: `p${id}` },
      });
    }
    const stored = { pg: 'related::text', mysql2: 'related' }[client];
    for (const id of [1, 30, 60]) {
      const owners = `${stored} like '%"o${id}"%' and ${stored} like '%"p${id}"%'`;
      await expectRows(`select id from lockstep_outbox where ${owners}`, 2);
    }
  });

  it('are deleted as one alone is: their keys count on, and a later put makes the row anew', async () => {
    await Promise.all(
      ids.map((id) => write(store.owned(id), put({ owner: `o${id}`, balance: 0 }))),
    );
    const results = await Promise.all(
      [...ids, 99].map((id) => write(store.owned(id), remove, { outbox: true })),
    );
    for (const [index, id] of ids.entries()) {
      expect(applied(unwrap(results[index]))).toMatchObject({
        ...{ version: 2, row: null, created: false },
        related: { before: { owner: `o${id}` }, after: null },
      });
      expect(await read(store.owned(id))).toEqual({ version: 2, fence: 0, row: null });
    }
    expect(refusalReason(unwrap(results.at(-1)))).toBe('not-found');
    expect(applied(await write(store.owned(1), put({ owner: 'new' })))).toMatchObject({
      ...{ created: true, version: 3 },
    });
  });

  it('W6: store the outcome of each idempotency key with its write, and apply a repeat once', async () => {
    await fill();
    const asked = (id: number, fence?: number) =>
      write(account(id), patch({ note: `once ${id}` }, { balance: '1' }), {
        idempotency: { key: `of ${id}`, requestHash: `hash of ${id}` },
        ...(fence === undefined ? {} : { fence }),
      });
    const results = await Promise.all(ids.map((id) => asked(id, 1_000 + id)));
    for (const [index, result] of results.entries()) {
      const id = unwrap(ids[index]);
      const { version, row } = applied(result);
      expect(version).toBe(2);
      expect(await store.database.rows.findOutcome(`of ${id}`)).toMatchObject({
        requestHash: `hash of ${id}`,
        keyText: String(id),
        result: { status: 'applied', created: false, version, row, fence: 1_000 + id },
      });
    }
    const repeated = await Promise.all([...ids, ...ids].map((id) => asked(id)));
    expect(new Set(repeated.map(({ status }) => status))).toEqual(new Set(['replayed']));
    const removed = await Promise.all(
      ids.map((id) =>
        write(account(id), remove, { idempotency: { key: `gone ${id}`, requestHash: 'h' } }),
      ),
    );
    expect(new Set(removed.map((each) => applied(each).version))).toEqual(new Set([3]));
    expect(await store.database.rows.findOutcome('gone 7')).toMatchObject({
      result: { status: 'applied', version: 3, row: null, fence: null },
    });
  });

  it('are refused one by one: the others of the crowd are applied', async () => {
    await fill();
    const results = await Promise.all(
      ids.map((id) => {
        if (id % 10 === 1) return write(account(id + 1_000), patch({ note: 'nobody' }));
        if (id % 10 === 2) return write(account(id), patch({ balance: -5_000 }));
        return write(account(id), patch({ balance: id }));
      }),
    );
    for (const [index, result] of results.entries()) {
      const id = unwrap(ids[index]);
      if (id % 10 === 1) expect(refusalReason(result)).toBe('not-found');
      else if (id % 10 === 2) expect(refusalReason(result)).toBe('constraint');
      else expect(applied(result)).toMatchObject({ version: 2, row: { balance: id } });
    }
    await expectRows('select id from accounts where id > 1000', 0);
    expect((await read(account(2))).version).toBe(1);
  });

  it('are fenced one by one (W7)', async () => {
    await fill();
    await Promise.all(
      ids.filter((id) => id % 3 === 0).map((id) => store.database.rows.raiseFence(account(id), 9)),
    );
    const results = await Promise.all(
      ids.map((id) => write(account(id), patch({ balance: id }), { fence: 9 })),
    );
    for (const [index, result] of results.entries()) {
      const id = unwrap(ids[index]);
      if (id % 3 === 0) expect(result).toEqual({ status: 'fenced', storedFence: 9 });
      else expect(applied(result).version).toBe(2);
      expect((await read(account(id))).fence).toBe(9);
    }
  });

  it('leave an outbox row each, with their own version, where one is asked for (W5)', async () => {
    await fill();
    const results = await Promise.all(
      ids.map((id) => write(account(id), patch({ balance: id }), { outbox: true })),
    );
    const outboxIds = results.map((result) => applied(result).outboxId);
    expect(new Set(outboxIds).size).toBe(CROWD);
    expect(outboxIds).not.toContain(null);
    await expectRows('select id from lockstep_outbox where version = 2', CROWD);
    const [seventh] = outboxIds.slice(6);
    await expectRows(
      `select id from lockstep_outbox where ${KEY[client]} = '7' and id = ${seventh}`,
      1,
    );
  });

  it('of rows that Lockstep has never written begin at version 1', async () => {
    for (const id of ids) {
      await store.database.execute(`insert into accounts (id, owner) values (${id}, 'o${id}')`);
    }
    const results = await Promise.all(
      ids.map((id) => write(account(id), patch({ balance: id }), { fence: id })),
    );
    for (const result of results) expect(applied(result).version).toBe(1);
  });

  it('of one row and of others at once lose nothing', async () => {
    await fill();
    const results = await Promise.all(
      Array.from({ length: 4 * CROWD }, (_, index) =>
        write(account((index % 8) + 1), patch({}, { balance: '1' }), { outbox: true }),
      ),
    );
    expect(results.filter(({ status }) => status === 'applied')).toHaveLength(4 * CROWD);
    for (let id = 1; id <= 8; id++) {
      const { version, row } = await read(account(id));
      expect({ version, balance: row?.balance }).toEqual({ version: 31, balance: 30 });
    }
  });

  it('are not held up by one whose row another program holds', async () => {
    await fill();
    const [othersDone, release] = signal();
    const [isHeld, hold] = signal();
    const holder = store.database.sql.transaction(async (session) => {
      const sql = 'select id from accounts where id = 5 for update';
      await session.run({ pg: sql, mysql2: sql });
      hold();
      await othersDone;
    });
    await isHeld;
    const blocked = write(account(5), patch({ balance: 5 }));
    const others = await Promise.all(
      ids.filter((id) => id !== 5).map((id) => write(account(id), patch({ balance: id }))),
    );
    for (const result of others) expect(applied(result).version).toBe(2);
    release();
    await holder;
    expect(applied(await blocked)).toMatchObject({ version: 2, row: { balance: 5 } });
  });

  it('with composite keys find their own rows', async () => {
    const keys = ids.map((place) =>
      makeKey(store.resources.note, [`it's "${place % 7}", {a}\\b`, String(place)]),
    );
    await Promise.all(keys.map((key) => write(key, put({ body: 'first' }))));
    const results = await Promise.all(
      keys.map((key, index) => write(key, patch({ body: `{"b",\\${index}}` }))),
    );
    for (const [index, result] of results.entries()) {
      expect(applied(result).row).toMatchObject({ body: `{"b",\\${index}}`, place: index + 1 });
    }
  });
});
