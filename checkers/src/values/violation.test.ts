import { describe, expect, test } from 'vitest';
import { describeViolation } from '../describe.ts';
import { parseHistory } from '../reader.ts';
import { asNumbers, randomHistory, randomRun } from '../testing/random-run.ts';
import { recorded, type Steps } from '../testing/session.ts';
import { increment, read, remove, write } from '../testing/steps.ts';
import { checkValues } from './checker.ts';

describe('the violation', () => {
  test('names the overtaken write, the one that overtook it and the stale read', () => {
    const history = recorded((s) => {
      s.do(write(1));
      s.do(write(2));
      s.do(write(3));
      s.do(read, { value: 2 });
    });
    const [violation, ...others] = checkValues(history).violations;
    expect(others).toEqual([]);
    expect(violation?.operations.map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(violation && describeViolation(violation)).toBe(
      [
        'values  account:1: no order explains the answers: at best 2, which was made by operation 2, stands where operation 3 must have happened',
        '  #2 client 2, 3 ms to 4 ms: write 2 -> ok',
        '  #3 client 3, 5 ms to 6 ms: write 3 -> ok',
        '  #4 client 4, 7 ms to 8 ms: read -> ok 2',
      ].join('\n'),
    );
  });

  test('says where the best state came from', () => {
    const fromTheBeginning = recorded((s) => s.do(remove));
    expect(checkValues(fromTheBeginning).violations[0]?.message).toMatch(/from the beginning/);
    const unknown = recorded((s) => {
      s.do(write(0));
      s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
      s.do(read, { value: 1 });
      s.do(write(7));
      s.do(read, { value: 1 });
    });
    expect(checkValues(unknown).violations[0]?.message).toMatch(/unknown outcome/);
  });

  test('shows the order that explains most', () => {
    const history = recorded((s) => {
      const [one, two] = [s.begin(write(1)), s.begin(write(2))];
      s.do(read, { value: 1 });
      s.do(read, { value: 2 });
      s.do(read, { value: 1 });
      s.recorder.ok(one, {});
      s.recorder.ok(two, {});
    });
    const [violation] = checkValues(history).violations;
    expect(violation?.message).toMatch(/at best 1, .* operation 1, stands where operation 4 must/);
    expect(violation?.operations.map(({ id }) => id)).toEqual([1, 4, 5]);
  });

  test('shows a refusal that contradicts what is known', () => {
    const history = recorded((s) => {
      s.do(write(1));
      s.recorder.fail(s.begin(remove), 'NOT_FOUND');
    });
    const [violation] = checkValues(history).violations;
    expect(violation?.operations.map(({ id }) => id)).toEqual([1, 2]);
  });

  test.each<[string, RegExp, Steps]>([
    ['a write', /another value than it wrote/, (s) => s.do(write(1), { value: 2 })],
    ['an increment', /not a number/, (s) => s.do(increment, { value: 'many' })],
  ])('of %s names an answer that does not fit the request', (_name, message, steps) => {
    const [violation] = checkValues(recorded(steps)).violations;
    expect(violation?.message).toMatch(message);
    expect(violation).toMatchObject({ rule: 'values', key: 'account:1', operations: [{ id: 1 }] });
  });

  test('names the read of a value that nobody wrote', () => {
    const history = recorded((s) => {
      s.do(write(1));
      s.do(read, { value: 2 });
      s.do(write(2));
    });
    const [violation] = checkValues(history).violations;
    expect(violation?.message).toMatch(/nobody had begun to write/);
    expect(violation?.rule).toBe('values');
    expect(violation?.operations.map(({ id }) => id)).toEqual([2]);
  });
});

describe('the work', () => {
  test('stops at its bound, and says so', () => {
    const history = randomHistory({ seed: 1, operations: 400 });
    const judged = checkValues(history, { maxStates: 10 });
    expect(judged.verdict).toBe('unknown');
    expect(judged.unknownKeys.sort()).toEqual(['account:0', 'account:1']);
    expect(judged.visited).toBe(22);
  });

  test.each([
    ['few unknown outcomes', { clients: 20, keys: 4, unknown: 0.002 }, 1459],
    ['many unknown outcomes', { clients: 20, keys: 4, unknown: 0.05 }, 1368],
    ['one key', { clients: 20, keys: 1, unknown: 0.01 }, 1594],
    ['forty clients on a key', { clients: 40, keys: 1, unknown: 0.01 }, 1966],
  ])('stays below one configuration per operation with %s', (_name, options, work) => {
    const history = randomHistory({ seed: 5, operations: 4_000, ...options });
    const judged = checkValues(history);
    expect(judged.verdict).toBe('holds');
    expect(judged.visited).toBe(work);
  });

  test('stays below that if the values are numbers', () => {
    const lines = randomRun({ seed: 5, operations: 4_000, clients: 20, keys: 2, unknown: 0.05 });
    const judged = checkValues(parseHistory(asNumbers(lines)));
    expect(judged.verdict).toBe('holds');
    expect(judged.visited).toBe(1422);
  });
});
