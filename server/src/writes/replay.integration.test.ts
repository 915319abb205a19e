import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutboxDecision, OutboxRow } from '../outbox/port.ts';
import { type Engine, noRecovery, openEngine, unheard } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

describe('an idempotency key', () => {
  const idempotency = (hash: string) => ({ key: `once-${ids}`, requestHash: hash });

  it('W6: applies once for any number of concurrent repeats', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, `counted ${ids}`));
    const request = {
      key,
      change: { op: 'patch', set: {}, increment: { balance: '1' } },
      idempotency: idempotency('a'),
    } as const;
    const receipts = await Promise.all(
      Array.from({ length: 10 }, () => engine.writer().write(request)),
    );
    expect(new Set(receipts.map(({ version }) => version))).toEqual(new Set([2]));
    expect(receipts.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(String((await engine.rows.read(key)).row?.balance)).toBe('1');
    await expect(
      engine.writer().write({ ...request, idempotency: idempotency('b') }),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('W6: tells a repeat what an unknown outcome was', async () => {
    const key = engine.account(nextId());
    const request = { ...engine.put(key, `told ${ids}`), idempotency: idempotency('a') };
    await expect(engine.writer(unheard(engine.rows)).write(request)).rejects.toMatchObject({
      outcome: 'unknown',
    });
    expect(await engine.writer().write(request)).toMatchObject({
      replayed: true,
      version: 1,
      outcome: 'applied',
    });
  });

  it('W6: answers a refusal again although it would be applied now', async () => {
    const key = engine.account(nextId());
    const patch = { op: 'patch', set: { owner: `late ${ids}` }, increment: {} } as const;
    const request = { key, change: patch, idempotency: idempotency('a') };
    await expect(engine.writer().write(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await engine.writer().write(engine.put(key, `now here ${ids}`));
    await expect(engine.writer().write(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await engine.rows.read(key)).row).toMatchObject({ owner: `now here ${ids}` });
  });

  describe.each(['account', 'note'] as const)(
    'of a write whose coordinator died after the commit (%s)',
    (resource) => {
      /** Commits a change of the owner and does none of its cache steps. The owner's cache keys hold old values. */
      async function leftBehind() {
        const key = engine[resource](nextId());
        const [before, after] = [`before ${ids}`, `after ${ids}`];
        await engine.writer().write(engine.put(key, before));
        await engine.behind.mset(`owner:${before}`, '[1]', `owner:${after}`, '[]');
        const request = { ...engine.put(key, after), idempotency: idempotency('a') };
        const dying = engine.writer(unheard(engine.rows), noRecovery);
        await expect(dying.write(request)).rejects.toMatchObject({ outcome: 'unknown' });
        const related = () => engine.behind.mget(`owner:${before}`, `owner:${after}`);
        return { request, related };
      }

      it('W6, W9: invalidates what hangs on the row, of before and after, before it is answered', async () => {
        const { request, related } = await leftBehind();
        const receipt = await engine.writer().write(request);
        expect(receipt).toMatchObject({ replayed: true, version: 2, outcome: 'applied' });
        expect(receipt.cache).not.toBe('pending');
        expect(await related()).toEqual([null, null]);
      });

      it('W6, W9: is answered `pending` while a step was given up', async () => {
        const { request, related } = await leftBehind();
        const giveUp = (rows: OutboxRow[]): OutboxDecision[] =>
          rows.map(({ id }) => ({ id, decision: 'dead', error: 'given up' }));
        await engine.outbox.take(100, 0, (rows) => Promise.resolve(giveUp(rows)));
        expect(await engine.writer().write(request)).toMatchObject({
          replayed: true,
          cache: 'pending',
        });
        expect(await related()).toEqual(['[1]', '[]']);
      });
    },
  );
});
