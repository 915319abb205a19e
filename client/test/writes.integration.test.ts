import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { useBed } from './support/bed.ts';
import { failureOf, heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();
/** No retries: what a single attempt ends with. */
const ONCE = { retries: { maxAttempts: 1 } };

describe('writes of one tick', () => {
  test('travel as one batch, each with its own answer and its own error', async () => {
    const client = await bed.ready();
    const [a, b, c] = [newId(), newId(), newId()];
    await client.put('account', a, { owner: 'Ada', balance: 1 });
    const batches = await heard('lockstep:batch', async () => {
      const results = await Promise.allSettled([
        client.patch('account', a, { $inc: { balance: 2 } }),
        client.put('profile', b, { name: 'Grace' }),
        client.patch('account', c, { owner: 'nobody' }),
        client.put('account', c, { owner: 'Eve', balance: -5000 }),
        client.put('account', newId(), { nonsense: 1 }),
      ]);
      expect(results).toMatchObject([
        { status: 'fulfilled', value: { version: 2, cache: 'fresh', policy: 'strict' } },
        { status: 'fulfilled', value: { created: true, cache: 'invalidated', fence: null } },
        { status: 'rejected', reason: { code: 'NOT_FOUND', status: 404 } },
        { status: 'rejected', reason: { code: 'CONSTRAINT', outcome: 'not_applied' } },
        { status: 'rejected', reason: { code: 'INVALID', retryable: false } },
      ]);
    });
    // The second write of the key that is busy goes in a batch of its own.
    expect(batches.map(({ operations }) => operations).toSorted()).toEqual([1, 4]);
  });

  test('are not held up by a slow one', async () => {
    const client = await bed.ready();
    const [slow, quick] = [newId(), newId()];
    const lease = await client.lease('account', slow, { ttlMs: 5_000 });
    const waiting = client.put('account', slow, { owner: 'Ada' });
    const others = Array.from({ length: 20 }, async (_, n) => {
      await new Promise((resolve) => setTimeout(resolve, n));
      return client.put('account', quick + 1000 + n, { owner: 'Eve' });
    });
    await Promise.all(others.slice(1));
    expect(await Promise.race([waiting.then(() => 'answered'), Promise.resolve('waits')])).toBe(
      'waits',
    );
    await lease.release();
    await waiting;
  });
});

describe('a write', () => {
  test('whose answer is lost is repeated by its idempotency key, and applied once', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada', balance: 0 });
    const retries = await heard('lockstep:retry', async () => {
      bed.links.coordinator.set('down', { stalled: true });
      const write = client.patch('account', id, { $inc: { balance: 1 } });
      await eventually(async () => expect(await bed.redis.get(`account:${id}`)).toContain('"v":2'));
      bed.links.coordinator.reset();
      bed.links.coordinator.heal();
      expect(await write).toMatchObject({ version: 2, value: { balance: 1 } });
    });
    expect(retries).toMatchObject([{ code: 'OUTCOME_UNKNOWN', op: 'patch' }]);
    expect(await client.get('account', id)).toMatchObject({ version: 2, value: { balance: 1 } });
  });

  test('whose answer is lost has an unknown outcome where it has no idempotency key', async () => {
    const client = await bed.ready({ idempotencyKeys: false });
    const id = newId();
    await client.put('account', id, { owner: 'Ada', balance: 0 });
    bed.links.coordinator.set('down', { stalled: true });
    const write = failureOf(client.patch('account', id, { $inc: { balance: 1 } }));
    await eventually(async () => expect(await bed.redis.get(`account:${id}`)).toContain('"v":2'));
    bed.links.coordinator.reset();
    bed.links.coordinator.heal();
    expect(await write).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown', status: 504 });
    expect(await client.get('account', id)).toMatchObject({ version: 2 });
  });

  test('that could not be sent is not applied, and says so', async () => {
    const client = await bed.ready(ONCE);
    const id = newId();
    bed.links.coordinator.accept('refuse');
    bed.links.coordinator.reset();
    try {
      // A connection may be noticed as closed only when it is used.
      await failureOf(client.put('account', newId(), { owner: 'Ada' }));
      const error = await failureOf(client.put('account', id, { owner: 'Ada' }));
      expect(error).toMatchObject({
        ...{ code: 'COORDINATOR_UNAVAILABLE', outcome: 'not_applied', retryable: true },
      });
    } finally {
      bed.links.coordinator.heal();
    }
    expect(await client.get('account', id, { consistency: 'primary' })).toBeNull();
  });

  test('that is not answered in time has an unknown outcome; its key can be repeated to learn it', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada', balance: 0 });
    bed.links.coordinator.set('down', { stalled: true });
    const error = await failureOf(
      client.patch('account', id, { $inc: { balance: 1 } }, { timeoutMs: 300 }),
    );
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    bed.links.coordinator.reset();
    bed.links.coordinator.heal();
    const { idempotencyKey } = (error as { details: { idempotencyKey: string } }).details;
    const again = await client.patch('account', id, { $inc: { balance: 1 } }, { idempotencyKey });
    expect(again).toMatchObject({ version: 2, value: { balance: 1 } });
  });

  test('that its caller gives up says whether it may have been applied', async () => {
    const client = await bed.ready();
    const id = newId();
    const lease = await client.lease('account', id, { ttlMs: 5_000 });
    const unsent = failureOf(
      client.put('account', id, { owner: 'Ada' }, { signal: AbortSignal.abort(new Error('no')) }),
    );
    expect(await unsent).toMatchObject({ code: 'ABORTED', outcome: 'not_applied' });
    const controller = new AbortController();
    const batch = heard('lockstep:operation', async () => {
      const sent = failureOf(
        client.put('account', id, { owner: 'Ada' }, { signal: controller.signal }),
      );
      // It is sent at the end of this tick.
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error('enough'));
      expect(await sent).toMatchObject({ code: 'ABORTED', outcome: 'unknown' });
    });
    expect(await batch).toMatchObject([{ code: 'ABORTED', outcome: 'unknown', attempts: 1 }]);
    await lease.release();
  });

  test('waits for the lock no longer than its caller waits', async () => {
    const client = await bed.ready(ONCE);
    const id = newId();
    const lease = await client.lease('account', id, { ttlMs: 60_000 });
    const startedAt = performance.now();
    const error = await failureOf(client.put('account', id, { owner: 'Ada' }, { timeoutMs: 400 }));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(['LOCK_TIMEOUT', 'OUTCOME_UNKNOWN']).toContain((error as { code: string }).code);
    // Once a call that came after it and waits for longer is answered, the coordinator has given it up too.
    const { url, serviceToken } = bed.instance.runtime;
    const behind = await fetch(`${url}/v1/resources/account/${id}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${serviceToken}`,
        'content-type': 'application/json',
        'lockstep-timeout': '1000',
      },
      body: JSON.stringify({ owner: 'Eve' }),
    });
    expect(await behind.json()).toMatchObject({ code: 'LOCK_TIMEOUT' });
    await lease.release();
    // Nothing is applied afterwards.
    await client.put('account', id, { owner: 'Grace' });
    expect(await client.get('account', id)).toMatchObject({ version: 1 });
  });

  test('with a condition applies only to the version that it names', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada' }, { ifAbsent: true });
    expect(
      await failureOf(client.put('account', id, { owner: 'Eve' }, { ifAbsent: true })),
    ).toMatchObject({
      code: 'VERSION_MISMATCH',
    });
    expect(
      await failureOf(client.patch('account', id, { owner: 'Eve' }, { ifVersion: 7 })),
    ).toMatchObject({
      ...{ code: 'VERSION_MISMATCH', status: 412, details: { currentVersion: 1 } },
    });
    expect(await client.patch('account', id, { owner: 'Bea' }, { ifVersion: 1 })).toMatchObject({
      version: 2,
    });
    expect(await client.delete('account', id, { ifVersion: 2 })).toMatchObject({
      version: 3,
      value: null,
    });
    expect(await client.get('account', id)).toBeNull();
    expect(await failureOf(client.delete('account', id))).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a transaction', () => {
  test('applies all or nothing, and names the operation that was refused', async () => {
    const client = await bed.ready();
    const [a, b] = [newId(), newId()];
    const results = await client.transaction([
      { op: 'put', resource: 'account', key: a, value: { owner: 'Ada', balance: 10 } },
      { op: 'put', resource: 'account', key: b, value: { owner: 'Bea', balance: 0 } },
    ]);
    expect(results).toMatchObject([
      { key: String(a), version: 1, created: true },
      { key: String(b), version: 1 },
    ]);
    const error = await failureOf(
      client.transaction([
        { op: 'patch', resource: 'account', key: a, value: { $inc: { balance: -5 } } },
        { op: 'patch', resource: 'account', key: b, value: { $inc: { balance: -5000 } } },
      ]),
    );
    expect(error).toMatchObject({ code: 'CONSTRAINT', details: { operation: 1 } });
    expect(await client.get('account', a)).toMatchObject({ version: 1, value: { balance: 10 } });
  });
});

describe('an invalidation', () => {
  test('takes away what a program changed in the database itself', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await client.get('profile', id);
    const text = (await bed.redis.get(`profile:${id}`)) ?? '';
    await bed.redis.set(`profile:${id}`, text.replace('Ada', 'Old'));
    expect(await client.get('profile', id)).toMatchObject({ value: { name: 'Old' } });
    expect(await client.invalidate([{ resource: 'profile', key: id }])).toEqual([
      { resource: 'profile', key: String(id), cache: 'invalidated' },
    ]);
    expect(await client.get('profile', id)).toMatchObject({ value: { name: 'Ada' } });
  });
});
