import { expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { TextSnapshot } from './text-snapshot.ts';

it('a text that is dear to make is made once for all who ask before it is', async () => {
  const runtime = manualRuntime();
  let made = 0;
  const snapshot = new TextSnapshot(() => Promise.resolve(`text ${++made}`), 1_000, runtime);
  const asked = Promise.all(Array.from({ length: 100 }, () => snapshot.text()));
  await runtime.advance(0);
  expect(new Set(await asked)).toEqual(new Set(['text 1']));
});

it('a text that is dear to make holds what was so when it was asked for, and is made once a second where many ask', async () => {
  const runtime = manualRuntime();
  let made = 0;
  const snapshot = new TextSnapshot(() => Promise.resolve(`text ${++made}`), 1_000, runtime);
  const texts: string[] = [];
  for (let asked = 0; asked < 3_000; asked += 1) {
    void snapshot.text().then((text) => texts.push(text));
    await runtime.advance(1);
  }
  expect(made).toBeGreaterThanOrEqual(5);
  expect(made).toBeLessThanOrEqual(8);
  await runtime.advance(1_000);
  expect(texts).toHaveLength(3_000);
});

it('a text that could not be made is made anew for the next who asks', async () => {
  const runtime = manualRuntime();
  let made = 0;
  const make = (): Promise<string> =>
    ++made === 1 ? Promise.reject(new Error('away')) : Promise.resolve('text');
  const snapshot = new TextSnapshot(make, 1_000, runtime);
  const failed = expect(snapshot.text()).rejects.toThrow('away');
  await runtime.advance(0);
  await failed;
  const again = snapshot.text();
  await runtime.advance(0);
  expect(await again).toBe('text');
});
