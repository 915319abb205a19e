import { connect } from 'node:net';
import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { cell, rowPath } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

beforeEach(() => untilAllIsWell(bed));

async function lockRow(id: number): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', [id]);
  return { release: () => client.end() };
}

describe('a client', () => {
  test('that disconnects in the middle of a write leaves nothing half done', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
    const row = await lockRow(id);
    const gone = new AbortController();
    const call = bed.api
      .call('PATCH', rowPath('account', id), {
        body: { $inc: { balance: 1 } },
        signal: gone.signal,
      })
      .then(
        () => 'answered',
        () => 'gone',
      );
    await eventually(async () =>
      expect((await bed.behind.entry(`account:${id}`))?.state).toBe('intent'),
    );
    gone.abort();
    expect(await call).toBe('gone');
    await row.release();
    const next = await bed.api.patch('account', id, { owner: 'Grace' });
    expect(next.status).toBe(200);
    // Its write was in flight: it is applied once or not at all, and version and row agree.
    expect(next.body.version).toBe(2 + Number(cell(next, 'balance')));
    const read = await bed.api.get('account', id);
    expect(read.body).toMatchObject({
      source: 'cache',
      value: next.body.value,
      version: next.body.version,
    });
  });

  test('that disconnects while it waits for a lock leaves the queue', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
    const name = `lockstep:lock:account:${id}`;
    for (const node of bed.behind.lockNodes) await node.set(name, 'someone else', 'PX', 1_000);
    const gone = new AbortController();
    const calls = Array.from({ length: 5 }, () =>
      bed.api
        .call('PATCH', rowPath('account', id), {
          body: { $inc: { balance: 1 } },
          signal: gone.signal,
        })
        .catch(() => undefined),
    );
    await eventually(async () => {
      const { text } = await bed.admin.call('GET', `/v1/ops/keys/account/${id}`);
      expect(text).toMatch(/"/);
    });
    gone.abort();
    await Promise.all(calls);
    const next = await bed.api.patch('account', id, { owner: 'Grace' });
    expect(next.status).toBe(200);
    expect(next.body.version).toBe(2 + Number(cell(next, 'balance')));
  });

  test('that sends half a body, or garbage, does not affect others', async () => {
    const { hostname, port } = new URL(bed.instance.url);
    const id = newId();
    const authorization = `Authorization: Bearer ${bed.instance.runtime.serviceToken}`;
    const half = [
      `PUT ${rowPath('account', id)} HTTP/1.1`,
      'Host: x',
      authorization,
      'Content-Type: application/json',
      'Content-Length: 1000',
      '',
      '{"owner":"Ada"',
    ].join('\r\n');
    for (const text of [
      half,
      'NONSENSE\r\n\r\n',
      '\u0000\u0001\u0002',
      `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    ]) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined); // the server may slam the door
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      socket.destroy();
    }
    expect((await bed.api.put('account', newId(), { owner: 'Grace' })).status).toBe(201);
    expect((await bed.api.get('account', id)).status).toBe(404);
  });

  test('beyond the most that may wait for a key is refused at once (W12)', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => bed.api.patch('account', id, { $inc: { balance: 1 } })),
    );
    const applied = answers.filter((answer) => answer.status === 200).length;
    for (const answer of answers) {
      if (answer.status !== 200) expect(['QUEUE_FULL', 'LOCK_TIMEOUT']).toContain(answer.body.code);
    }
    const read = await bed.api.get('account', id, '?consistency=primary');
    expect(Number(cell(read, 'balance'))).toBe(applied);
  });
});
