import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { ApiClient } from '../support/api-client.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';
import { disagreements } from './agreement.ts';

const KILLS = 3;
const CALLERS = 6;

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

interface Insert {
  resource: 'ticket' | 'coupon';
  /** No other insert has it. */
  mark: string;
  idempotencyKey: string;
  /** The path that the first answer named; null: it is not known whether there is a row. */
  location: string | null;
}

function newInsert(): Insert {
  const id = newId();
  const resource = id % 2 === 0 ? 'ticket' : 'coupon';
  return { resource, mark: String(id), idempotencyKey: `insert-${id}`, location: null };
}

/** Sends it once. Notes where the row is, and fails if another row was named before. */
async function send(api: ApiClient, insert: Insert): Promise<void> {
  const { resource, mark, idempotencyKey } = insert;
  const row = resource === 'ticket' ? { seat: mark } : { percent: Number(mark) % 1_000_000_000 };
  const headers = { 'Idempotency-Key': idempotencyKey };
  const answer = await api.post(`/v1/resources/${resource}`, row, headers);
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  const location = answer.headers['location'] ?? '';
  expect(location, 'where the first answer said that the row is').toBe(insert.location ?? location);
  insert.location = location;
}

test(
  `SIGKILL while the database makes keys: each insert has one row, and every answer names it (${KILLS} times; W6, W15)`,
  { timeout: 240_000 },
  async () => {
    const inserts: Insert[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { url, serviceToken } = bed.instance.runtime;
      const api = new ApiClient(url, serviceToken);
      let isOver = false;
      const before = inserts.length;
      const callers = Array.from({ length: CALLERS }, async () => {
        while (!isOver) {
          const insert = newInsert();
          inserts.push(insert);
          // What gets no answer is sent again after the start.
          await send(api, insert).catch((error: unknown) => {
            if (!isOver && error instanceof Error && /^4\d\d /.test(error.message)) throw error;
          });
        }
      });
      await eventually(() => expect(inserts.length).toBeGreaterThan(before + 60), {
        withinMs: 90_000,
      });
      await sleep(Math.random() * 300);
      isOver = true;
      await bed.instance.kill();
      await Promise.all(callers);
      await api.close();
      await bed.instance.start();
    }
    await bed.reconnect();
    const unanswered = inserts.filter(({ location }) => location === null);
    for (const insert of [...unanswered, ...inserts]) await send(bed.api, insert);
    const named = new Set(inserts.map(({ location }) => location));
    expect(named.size).toBe(inserts.length);
    const counts = await bed.behind.sql(
      'select (select count(*) from tickets) + (select count(*) from coupons) as rows',
    );
    expect(Number(counts[0]?.['rows'])).toBe(inserts.length);
    await eventually(
      async () => {
        const tickets = await disagreements(bed.behind, bed.api, 'ticket', 'tickets');
        expect(tickets).toEqual([]);
      },
      { withinMs: 90_000, everyMs: 200 },
    );
  },
);
