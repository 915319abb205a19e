import { afterEach, describe, expect, it } from 'vitest';
import { failureOf, heard } from '../test/support/heard.ts';
import {
  startStub,
  stubCatalog,
  type StubAnswer,
  type StubCoordinator,
} from '../test/support/stub-coordinator.ts';
import { type Client, type ClientOptions, createClient, type LockstepError } from './index.ts';

type Operation = Record<string, unknown> & { op: string; key: number };

const stubs: StubCoordinator[] = [];
const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(stubs.splice(0).map((stub) => stub.close()));
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const applied = ({ key, op }: Operation): object => ({
  ...{
    status: op === 'insert' ? 201 : 200,
    resource: 'account',
    key: String(key ?? 9),
    version: 1,
  },
  ...{ value: { id: key }, outcome: 'applied', cache: 'fresh', policy: 'strict', fence: 5 },
  ...{ waitMs: 0.1, source: 'primary', token: 't' },
});
const problem = (code: string, status: number, changes: object = {}): object => ({
  ...{ type: 't', title: 't', detail: `It is ${code}.`, code, status, requestId: 'r' },
  ...{ outcome: 'not_applied', retryable: false },
  ...changes,
});
const operationsOf = (body: unknown): Operation[] =>
  (body as { operations: Operation[] }).operations;

async function open(
  answer: (
    operations: Operation[],
    nth: number,
  ) => StubAnswer | undefined | Promise<StubAnswer | undefined>,
  options: Partial<ClientOptions> = {},
  limits: object = {},
): Promise<{ client: Client; stub: StubCoordinator; sizes: () => number[] }> {
  let nth = 0;
  const stub = await startStub(
    (_path, body) => answer(operationsOf(body), ++nth),
    () => {
      const catalog = stubCatalog();
      return { ...catalog, limits: { ...catalog.limits, ...limits } };
    },
  );
  const client = createClient({ url: stub.url, retries: { baseMs: 1 }, ...options });
  await client.ready();
  stubs.push(stub);
  clients.push(client);
  return { client, stub, sizes: () => stub.asked.map(({ body }) => operationsOf(body).length) };
}

const all = (operations: Operation[]): StubAnswer => ({
  body: { results: operations.map(applied) },
});

describe('a batch', () => {
  it('holds no more operations than the coordinator takes', async () => {
    const { client, sizes } = await open(all, {}, { batchOperations: 3 });
    await Promise.all(Array.from({ length: 7 }, (_, id) => client.put('account', id, {})));
    expect(sizes().toSorted()).toEqual([1, 3, 3]);
  });

  it('holds no more bytes than the coordinator takes', async () => {
    const { client, sizes } = await open(all, {}, { bodyBytes: 1_000 });
    const owner = 'x'.repeat(300);
    await Promise.all(Array.from({ length: 4 }, (_, id) => client.put('account', id, { owner })));
    expect(sizes().toSorted()).toEqual([2, 2]);
  });

  it('is split where this coordinator takes less than it said', async () => {
    const { client, sizes } = await open((operations) =>
      operations.length > 2 ? { status: 413, body: problem('TOO_LARGE', 413) } : all(operations),
    );
    const written = Array.from({ length: 5 }, (_, id) => client.put('account', id, {}));
    expect((await Promise.all(written)).map(({ key }) => key)).toEqual(['0', '1', '2', '3', '4']);
    expect(sizes()[0]).toBe(5);
  });

  it('whose answer was full has its read repeated alone', async () => {
    const { client, sizes } = await open((operations) =>
      operations.length > 1
        ? { body: { results: [applied(operations[0] as Operation), problem('TOO_LARGE', 413)] } }
        : all(operations),
    );
    const found = await client.getMany('account', [1, 2]);
    expect(found.map((row) => row?.version)).toEqual([1, 1]);
    expect(sizes()).toEqual([2, 1]);
  });

  it('grows while as many as wanted are in flight, and waits no longer than a moment', async () => {
    const waiting: (() => void)[] = [];
    const { client, sizes } = await open(
      async (operations) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return all(operations);
      },
      { batchesInFlight: 1 },
    );
    const first = client.put('account', 1, {});
    await expect.poll(() => waiting.length).toBe(1);
    const later = [2, 3, 4].map((id) => client.put('account', id, {}));
    await expect.poll(() => sizes()).toEqual([1, 3]);
    for (const answer of waiting) answer();
    await Promise.all([first, ...later]);
  });

  it('keeps the writes of a key that is busy out of the others’ way', async () => {
    const { client, stub } = await open(all);
    await Promise.all([1, 1, 1, 2, 3].map((id) => client.patch('account', id, { n: 1 })));
    const keys = stub.asked.map(({ body }) => operationsOf(body).map(({ key }) => key));
    expect(keys.toSorted()).toEqual([
      [1, 1],
      [1, 2, 3],
    ]);
  });
});

describe('a write', () => {
  it('has an idempotency key of its own, unless its caller, its resource or the client says otherwise', async () => {
    const { client, stub } = await open(all);
    await Promise.all([
      client.put('account', 1, {}),
      client.put('account', 2, {}, { idempotencyKey: 'mine' }),
      client.put('account', 3, {}, { idempotencyKey: false }),
    ]);
    const [given, mine, none] = operationsOf(stub.asked[0]?.body);
    expect(given?.['idempotencyKey']).toMatch(/^[\w-]{16}-1$/);
    expect(mine?.['idempotencyKey']).toBe('mine');
    expect(none).not.toHaveProperty('idempotencyKey');
    const { client: without, stub: theirs } = await open(all, {
      idempotencyKeys: { account: false },
    });
    await Promise.all([without.put('account', 1, {}), without.put('order', 1, {})]);
    const [account, order] = operationsOf(theirs.asked[0]?.body);
    expect(account).not.toHaveProperty('idempotencyKey');
    expect(order).toHaveProperty('idempotencyKey');
  });

  it('is repeated with the same idempotency key where it may succeed later', async () => {
    const { client, stub } = await open((operations, nth) =>
      nth < 3
        ? { body: { results: [problem('LOCK_TIMEOUT', 503, { retryable: true })] } }
        : all(operations),
    );
    expect(await client.put('account', 1, {})).toMatchObject({ version: 1 });
    const keys = stub.asked.map(({ body }) => operationsOf(body)[0]?.['idempotencyKey']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  it('of unknown outcome stays unknown where its repeats are refused', async () => {
    const unknown = problem('OUTCOME_UNKNOWN', 504, { outcome: 'unknown', retryable: true });
    const { client } = await open((_, nth) => ({
      body: { results: [nth === 1 ? unknown : problem('CONSTRAINT', 409)] },
    }));
    const error = await failureOf(client.put('account', 1, {}));
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    expect((error as LockstepError).cause).toMatchObject({ code: 'CONSTRAINT' });
    expect((error as LockstepError).details.idempotencyKey).toBeTypeOf('string');
  });

  it('of unknown outcome is not repeated without an idempotency key', async () => {
    const { client, sizes } = await open(() => ({ status: 502, body: '<html>' }));
    const error = await failureOf(client.put('account', 1, {}, { idempotencyKey: false }));
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    expect(sizes()).toEqual([1]);
  });

  it('that waits for another attempt and is given up keeps what is known of it', async () => {
    const busy = problem('LOCK_TIMEOUT', 503, { retryable: true });
    const { client } = await open(() => ({ body: { results: [busy] } }), {
      retries: { baseMs: 60_000, maxMs: 60_000 },
    });
    const error = await failureOf(client.put('account', 1, {}, { timeoutMs: 500 }));
    expect(error).toMatchObject({ outcome: 'not_applied' });
  });

  it('tells what happened to whoever listens', async () => {
    const { client } = await open(all);
    const told = await heard('lockstep:operation', () =>
      client.insert('account', { owner: 'Ada' }),
    );
    expect(told).toMatchObject([
      { op: 'insert', resource: 'account', attempts: 1, code: null, outcome: 'applied' },
    ]);
  });

  it('takes bigints and dates, and refuses what JSON cannot say', async () => {
    const { client, stub } = await open(all);
    await client.put('account', 5n, { n: 2n ** 60n, at: new Date(0) });
    expect(operationsOf(stub.asked[0]?.body)[0]).toMatchObject({
      ...{ key: '5', value: { n: '1152921504606846976', at: '1970-01-01T00:00:00.000Z' } },
    });
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(await failureOf(client.put('account', 1, loop))).toMatchObject({ code: 'INVALID' });
  });
});

describe('an insert', () => {
  it('names no key, and answers the one that the database made', async () => {
    const { client, stub } = await open(all);
    const written = await client.insert('account', { owner: 'Ada' });
    expect(written).toMatchObject({ key: '9', created: true });
    expect(operationsOf(stub.asked[0]?.body)[0]).toMatchObject({
      op: 'insert',
      value: { owner: 'Ada' },
    });
    expect(operationsOf(stub.asked[0]?.body)[0]).not.toHaveProperty('key');
  });
});
