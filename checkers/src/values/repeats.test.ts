import { describe, expect, test } from 'vitest';
import { recorded } from '../testing/session.ts';
import { increment, read, write } from '../testing/steps.ts';
import { checkValues } from './checker.ts';

describe('repeats with one idempotency key', () => {
  const repeat = { ...increment, idempotencyKey: 'k' };

  test('count once, whichever of them was applied', () => {
    const history = recorded((s) => {
      s.do(write(0));
      s.recorder.unknown(s.begin(repeat), 'TIMED_OUT');
      s.do(read, { value: 0 });
      s.do(repeat, { value: 1 });
      s.do(repeat, { value: 1 });
      s.do(read, { value: 1 });
    });
    expect(checkValues(history).verdict).toBe('holds');
  });

  test('count from the first of them that was sent', () => {
    const history = recorded((s) => {
      s.do(write(0));
      s.recorder.unknown(s.begin(repeat), 'TIMED_OUT');
      s.do(read, { value: 1 });
      s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
      s.do(read, { value: 2 });
    });
    expect(checkValues(history).verdict).toBe('holds');
  });

  test('may not count twice', () => {
    const history = recorded((s) => {
      s.do(write(0));
      s.recorder.unknown(s.begin(repeat), 'TIMED_OUT');
      s.do(repeat, { value: 1 });
      s.do(read, { value: 2 });
    });
    expect(checkValues(history).verdict).toBe('violated');
  });

  test('may not be answered with two values', () => {
    const history = recorded((s) => {
      s.do(write(0));
      s.do(repeat, { value: 1 });
      s.do(increment, { value: 2 });
      s.do(repeat, { value: 3 });
    });
    expect(checkValues(history).violations[0]?.message).toMatch(/two values/);
  });

  test('may first be refused, and refused as absent', () => {
    const history = recorded((s) => {
      s.recorder.fail(s.begin(repeat), 'NOT_FOUND');
      s.recorder.fail(s.begin(repeat), 'FENCED');
      s.do(write(0));
      s.recorder.fail(s.begin(repeat), 'NOT_FOUND');
      s.do(repeat, { value: 1 });
    });
    expect(checkValues(history).verdict).toBe('holds');
  });

  test('have their effect by their first answer', () => {
    const history = recorded((s) => {
      s.do(write(0));
      s.do(repeat, {});
      s.do(read, { value: 0 });
      s.do(repeat, {});
      s.do(read, { value: 1 });
    });
    expect(checkValues(history).verdict).toBe('violated');
  });
});

describe('a resource that is not strict', () => {
  test.each([
    ['may be read stale through the cache', 'holds', { value: 1, source: 'cache' }, read],
    ['may be read stale in the cache', 'holds', { value: 1 }, { op: 'cache-read' }],
    ['may not be read stale past it', 'violated', { value: 1 }, { ...read, primary: true }],
    ['may not be read stale at the primary', 'violated', { value: 1, source: 'primary' }, read],
  ] as const)('%s', (_name, verdict, answer, call) => {
    const history = recorded((s) => {
      s.do(write(1));
      s.do(write(2));
      s.do(call, answer);
    }, 'delete-after-write');
    expect(checkValues(history).verdict).toBe(verdict);
  });
});
