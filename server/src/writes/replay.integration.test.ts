import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine, unheard } from './testing/engine.ts';

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
});
