import { expect, it } from 'vitest';
import { manualRuntime } from '../runtime/testing/manual-runtime.ts';
import { TextSnapshot } from './text-snapshot.ts';

it('a text that is dear to make is made once for all who ask within its age', async () => {
  const runtime = manualRuntime();
  let made = 0;
  const snapshot = new TextSnapshot(() => Promise.resolve(`text ${++made}`), 1_000, runtime.clock);
  const texts = await Promise.all(Array.from({ length: 100 }, () => snapshot.text()));
  expect(new Set(texts)).toEqual(new Set(['text 1']));
  await runtime.advance(999);
  expect(await snapshot.text()).toBe('text 1');
  await runtime.advance(1);
  expect(await snapshot.text()).toBe('text 2');
});

it('a text that could not be made is made anew for the next who asks', async () => {
  const { clock } = manualRuntime();
  let made = 0;
  const make = (): Promise<string> =>
    ++made === 1 ? Promise.reject(new Error('away')) : Promise.resolve('text');
  const snapshot = new TextSnapshot(make, 1_000, clock);
  await expect(snapshot.text()).rejects.toThrow('away');
  expect(await snapshot.text()).toBe('text');
});
