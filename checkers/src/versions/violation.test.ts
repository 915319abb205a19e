import { expect, test } from 'vitest';
import { recorded, type Steps } from '../testing/session.ts';
import { read, write } from '../testing/steps.ts';
import { checkVersions } from './checker.ts';

test('a rule reports only a few violations of a key', () => {
  const steps: Steps = (s) => {
    s.do(write('a'), { version: 1 });
    for (let index = 0; index < 100; index++) s.do(read, { version: 1, value: 'b' });
  };
  expect(checkVersions(recorded(steps))).toHaveLength(5);
});

test('a violation names the operations that show it', () => {
  const steps: Steps = (s) => {
    s.do(write('a'), { version: 1 });
    s.do(write('b'), { version: 2 });
    s.do(read, { version: 1, value: 'a' });
  };
  const [violation, ...others] = checkVersions(recorded(steps));
  expect(others).toEqual([]);
  expect(violation).toMatchObject({
    rule: 'R6',
    key: 'account:1',
    message: 'a read answered version 1 though 2 was there before it was sent',
    operations: [{ id: 2 }, { id: 3 }],
  });
});
