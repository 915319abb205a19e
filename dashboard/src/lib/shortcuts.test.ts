import { expect, it } from 'vitest';
import { createShortcuts } from './shortcuts.ts';

it('goes to a page by g and its letter', () => {
  const press = createShortcuts([{ letter: 'l', path: '/locks' }]);
  expect(press({ key: 'g', atMs: 0 })).toBeNull();
  expect(press({ key: 'l', atMs: 300 })).toEqual({ do: 'go', path: '/locks' });
});
it('forgets the g after a while, and after another key', () => {
  const press = createShortcuts([{ letter: 'l', path: '/locks' }]);
  press({ key: 'g', atMs: 0 });
  expect(press({ key: 'l', atMs: 5000 })).toBeNull();
  press({ key: 'g', atMs: 6000 });
  expect(press({ key: 'x', atMs: 6100 })).toBeNull();
  expect(press({ key: 'l', atMs: 6200 })).toBeNull();
});
it('knows the single keys', () => {
  const press = createShortcuts([{ letter: 'l', path: '/locks' }]);
  expect(press({ key: '/', atMs: 0 })).toEqual({ do: 'search' });
  expect(press({ key: 'p', atMs: 0 })).toEqual({ do: 'pause' });
  expect(press({ key: '?', atMs: 0 })).toEqual({ do: 'help' });
});
