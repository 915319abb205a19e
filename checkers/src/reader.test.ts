import { describe, expect, test } from 'vitest';
import { canonical, HistoryError, resourceOf, type HistoryFault } from './history.ts';
import { parseHistory } from './reader.ts';
import { HistoryRecorder } from './recorder.ts';

const HEADER = '{"lockstepHistory":1,"resources":{"account":{"policy":"strict"}}}';
const INVOKE = '{"e":"invoke","id":1,"client":1,"key":"account:1","op":"read","atMs":1}';

const invoke = (fields: object): string =>
  JSON.stringify({
    e: 'invoke',
    id: 1,
    client: 1,
    key: 'account:1',
    op: 'read',
    atMs: 1,
    ...fields,
  });

function record(steps: (recorder: HistoryRecorder) => void): string[] {
  const lines: string[] = [];
  let nowMs = 0;
  const recorder = new HistoryRecorder({
    resources: { account: { policy: 'strict' }, profile: { policy: 'delete-after-write' } },
    nowMs: () => (nowMs += 1.23456),
    write: (line) => lines.push(line),
  });
  steps(recorder);
  return lines;
}

describe('a recorded history', () => {
  test('is read back as it was recorded', () => {
    const lines = record((recorder) => {
      recorder.initial('account:1', { n: 1 }, 3);
      const [one, two] = [recorder.newClient(), recorder.newClient()];
      const write = recorder.invoke({
        client: one,
        key: 'account:1',
        op: 'cas',
        value: { n: 2 },
        ifMatch: 3,
        expect: { n: 1 },
        via: 'coordinator 1',
        idempotencyKey: 'k',
      });
      const read = recorder.invoke({ client: two, key: 'profile:2', op: 'read', minVersion: 4 });
      recorder.ok(write, { value: { n: 2 }, version: 4, cache: 'fresh' });
      recorder.unknown(read, 'TIMED_OUT');
      recorder.fail(recorder.invoke({ client: one, key: 'account:1', op: 'delete' }), 'FENCED');
      recorder.invoke({ client: one, key: 'account:1', op: 'increment', by: 2, field: 'n' });
      expect(recorder.operations).toBe(4);
    });
    const { header, operations, initial } = parseHistory(lines);
    expect(header.resources['profile']?.policy).toBe('delete-after-write');
    expect(initial.get('account:1')).toEqual({ value: { n: 1 }, version: 3 });
    expect(operations).toEqual([
      {
        id: 1,
        client: 1,
        key: 'account:1',
        via: 'coordinator 1',
        call: { op: 'cas', value: { n: 2 }, ifMatch: 3, expect: { n: 1 } },
        idempotencyKey: 'k',
        ending: 'ok',
        answer: { value: { n: 2 }, version: 4, cache: 'fresh' },
        code: null,
        invoked: 0,
        returned: 2,
        invokedAtMs: 1.235,
        endedAtMs: 3.704,
      },
      expect.objectContaining({
        call: { op: 'read', minVersion: 4 },
        ending: 'unknown',
        code: 'TIMED_OUT',
        returned: Infinity,
        endedAtMs: 4.938,
      }),
      expect.objectContaining({ call: { op: 'delete' }, ending: 'fail', code: 'FENCED' }),
      expect.objectContaining({
        call: { op: 'increment', by: 2, field: 'n' },
        ending: 'open',
        endedAtMs: Infinity,
      }),
    ]);
  });

  test('may have empty lines', () => {
    expect(parseHistory(['', HEADER, '', INVOKE, '']).operations).toHaveLength(1);
  });
});

describe('a file that is not a history is refused with the line number', () => {
  const cases: [string, HistoryFault, number, string[]][] = [
    ['nothing', 'NOT_A_HISTORY', 1, []],
    ['no JSON', 'NOT_JSON', 1, ['{']],
    ['no object', 'WRONG_EVENT', 2, [HEADER, '[]']],
    ['another file', 'NOT_A_HISTORY', 1, ['{"lockfileVersion":3}']],
    ['an unknown policy', 'NOT_A_HISTORY', 1, ['{"lockstepHistory":1,"resources":{"a":{}}}']],
    ['an unknown event', 'WRONG_EVENT', 2, [HEADER, '{"e":"info"}']],
    ['an unknown operation', 'WRONG_EVENT', 2, [HEADER, invoke({ op: 'append' })]],
    ['an unknown resource', 'UNKNOWN_RESOURCE', 2, [HEADER, invoke({ key: 'order:1' })]],
    ['no key', 'WRONG_EVENT', 2, [HEADER, invoke({ key: undefined })]],
    ['a write without value', 'WRONG_EVENT', 2, [HEADER, invoke({ op: 'write' })]],
    ['half an increment', 'WRONG_EVENT', 2, [HEADER, invoke({ op: 'increment', by: 0.5 })]],
    ['a negative version', 'WRONG_EVENT', 2, [HEADER, invoke({ minVersion: -1 })]],
    ['no time', 'WRONG_EVENT', 2, [HEADER, invoke({ atMs: 'now' })]],
    ['no id', 'WRONG_EVENT', 2, [HEADER, invoke({ id: null })]],
    ['a way that is no text', 'WRONG_EVENT', 2, [HEADER, invoke({ via: 1 })]],
    ['an id used twice', 'DUPLICATE_ID', 3, [HEADER, INVOKE, invoke({ client: 2 })]],
    ['an end without beginning', 'UNKNOWN_ID', 2, [HEADER, '{"e":"ok","id":1,"atMs":1}']],
    [
      'two ends',
      'DUPLICATE_ID',
      4,
      [HEADER, INVOKE, '{"e":"ok","id":1,"atMs":1}', '{"e":"ok","id":1,"atMs":1}'],
    ],
    ['a busy client', 'CLIENT_BUSY', 3, [HEADER, INVOKE, invoke({ id: 2 })]],
    [
      'a client that goes on after an unknown outcome',
      'CLIENT_BUSY',
      4,
      [HEADER, INVOKE, '{"e":"unknown","id":1,"atMs":1}', invoke({ id: 2 })],
    ],
    ['time that goes back', 'OUT_OF_ORDER', 3, [HEADER, INVOKE, invoke({ id: 2, atMs: 0.5 })]],
    [
      'an unknown word for the cache',
      'WRONG_EVENT',
      3,
      [HEADER, INVOKE, '{"e":"ok","id":1,"atMs":1,"cache":"clean"}'],
    ],
    [
      'an unknown source',
      'WRONG_EVENT',
      3,
      [HEADER, INVOKE, '{"e":"ok","id":1,"atMs":1,"source":"memory"}'],
    ],
  ];

  test.each(cases)('%s', (_name, code, line, lines) => {
    let refusal: unknown;
    try {
      parseHistory(lines);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(HistoryError);
    expect(refusal).toMatchObject({ code, line });
  });
});

test('a resource is what stands before the first colon of a key', () => {
  expect(resourceOf('account:1:2')).toBe('account');
  expect(resourceOf('account')).toBe('account');
});

test('a value has one text whatever the order of its names', () => {
  expect(canonical({ b: [1, { d: null, c: 'x' }], a: true })).toBe(
    canonical({ a: true, b: [1, { c: 'x', d: null }] }),
  );
  expect(canonical({ a: 1 })).not.toBe(canonical({ a: '1' }));
});
