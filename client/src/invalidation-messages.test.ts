import { describe, expect, test } from 'vitest';
import { isGap, readMessages } from './invalidation-messages.ts';

const message = (id: string, before: string) => ({ id, before, forget: 'all' as const });

describe('a message', () => {
  test('names the cache keys that it invalidates, or all', () => {
    expect(
      readMessages([
        ['2-0', ['p', '1-0', 'k', 'a', 'k', 'b']],
        ['3-0', ['p', '2-0', 'a', '1']],
      ]),
    ).toEqual([
      { id: '2-0', before: '1-0', forget: ['a', 'b'] },
      { id: '3-0', before: '2-0', forget: 'all' },
    ]);
  });

  test('RP16: of a kind that is not known means that all is forgotten', () => {
    expect(readMessages([['2-0', ['p', '1-0', 'k', 'a', 'x', 'y']]])).toMatchObject([
      { forget: 'all' },
    ]);
    expect(readMessages([['2-0', ['p', '1-0']]])).toMatchObject([{ forget: 'all' }]);
  });

  test.each([[null], ['text'], [[['2-0']]], [[[2, []]]]])(
    'that is none is refused: %j',
    (reply: unknown) => expect(() => readMessages(reply)).toThrow(TypeError),
  );
});

describe('RP16: a gap', () => {
  test.each([
    ['nothing came, and nothing is newer', '5-1', [], '5-1', false],
    ['the messages follow on', '5-1', [message('5-2', '5-1'), message('6-0', '5-2')], '6-0', false],
    ['one more has come since', '5-1', [message('5-2', '5-1')], '7-0', false],
    ['the first does not follow on', '5-1', [message('6-0', '5-2')], '6-0', true],
    [
      'one in between is missing',
      '5-1',
      [message('5-2', '5-1'), message('7-0', '6-0')],
      '7-0',
      true,
    ],
    ['the stream is another one', '5-1', [message('6-0', '0-0')], '6-0', true],
    ['the stream is gone', '5-1', [], null, true],
    ['its newest is older than what is known', '5-1', [], '5-0', true],
    ['the same by its time', '5-1', [], '4-9', true],
    ['ids are compared as numbers', '9-9', [message('10-0', '9-9')], '10-10', false],
  ])('%s', (_, lastId, messages, newestId, expected) =>
    expect(isGap(lastId, messages, newestId)).toBe(expected),
  );
});
