import type { JsonValue } from '@lockstep/shared';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasOrder } from '../testing/brute-force.ts';
import { explained, FLAVOURS, perhapsExplained } from '../testing/tiny-history.ts';
import { parseHistory } from '../reader.ts';
import { asNumbers, randomHistory, randomRun } from '../testing/random-run.ts';
import { describeViolation } from '../describe.ts';
import { recorded, type Steps } from '../testing/session.ts';
import { checkValues } from './checker.ts';

const RUNS = 1_000;
/** Fixed, so that a mutant is killed by the same histories each time. */
const SEED = 20_261_121;

/**
 * Configurations met over all histories of a test: those that hold, then the others. They change only with the search
 * and the generator; a way to cut the search short that no longer works shows here and nowhere else.
 */
const WORK: Record<string, [number, number]> = {
  'few numbers': [2129, 1192],
  'numbers that only grow': [2220, 1179],
  'numbers that only shrink': [2220, 1179],
  'numbers that grow and shrink': [2260, 1273],
  rows: [2168, 1208],
};

describe.each(FLAVOURS)('a register of $name', (flavour) => {
  test('is accepted where some order was there from the beginning', () => {
    let work = 0;
    fc.assert(
      fc.property(explained(flavour), (history) => {
        const { verdict, visited } = checkValues(history);
        expect(verdict).toBe('holds');
        work += visited;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(work).toBe(WORK[flavour.name]?.[0]);
  });

  test('is judged as by trying every order', () => {
    let violated = 0;
    let work = 0;
    fc.assert(
      fc.property(perhapsExplained(flavour), (history) => {
        const expected = hasOrder(history) ? 'holds' : 'violated';
        if (expected === 'violated') violated += 1;
        const { verdict, visited } = checkValues(history);
        expect(verdict).toBe(expected);
        work += visited;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(work).toBe(WORK[flavour.name]?.[1]);
    expect(violated).toBeGreaterThan(RUNS / 20);
  });
});

const write = (value: JsonValue) => ({ op: 'write', value }) as const;
const read = { op: 'read' } as const;
const increment = { op: 'increment', by: 1 } as const;
const remove = { op: 'delete' } as const;

describe('what holds and what does not', () => {
  const cases: [string, 'holds' | 'violated', Steps][] = [
    ['nothing at all', 'holds', () => undefined],
    [
      'what was there before the run is read',
      'holds',
      (s) => {
        s.recorder.initial('account:1', 7, 1);
        s.do(read, { value: 7 });
      },
    ],
    [
      'what was there before the run is forgotten',
      'violated',
      (s) => {
        s.recorder.initial('account:1', 7, 1);
        s.do(read, { value: null });
      },
    ],
    [
      'keys have orders of their own',
      'holds',
      (s) => {
        s.do(write(1), {}, 'account:1');
        s.do(write(2), {}, 'account:2');
        s.do(read, { value: 1 }, 'account:1');
        s.do(read, { value: 2 }, 'account:2');
      },
    ],
    [
      'a read sees a write of another key',
      'violated',
      (s) => {
        s.do(write(1), {}, 'account:1');
        s.do(read, { value: 1 }, 'account:2');
      },
    ],
    [
      'a stale read straight from the cache',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(write(2));
        s.do({ op: 'cache-read' }, { value: 1 });
      },
    ],
    [
      'a read without an answer tells nothing',
      'holds',
      (s) => {
        s.do(write(1));
        s.do(read, {});
        s.recorder.fail(s.begin({ op: 'cache-read' }), 'MISS');
      },
    ],
    [
      'two reads see two overlapping writes in opposite orders',
      'violated',
      (s) => {
        const [one, two] = [s.begin(write(1)), s.begin(write(2))];
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
        s.do(read, { value: 1 });
        s.recorder.ok(one, {});
        s.recorder.ok(two, {});
      },
    ],
    [
      'an unknown write is seen late',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(write(2));
        s.do(read, { value: 2 });
        s.do(read, { value: 1 });
      },
    ],
    [
      'an unknown write is seen twice with another one between',
      'violated',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(write(2));
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'an unknown write is seen before it was sent',
      'violated',
      (s) => {
        s.do(read, { value: 1 });
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
      },
    ],
    [
      'a refused write is seen',
      'violated',
      (s) => {
        s.recorder.fail(s.begin(write(1)), 'FENCED');
        s.do(read, { value: 1 });
      },
    ],
    [
      'a write is answered with another value',
      'violated',
      (s) => s.do(write({ owner: 'a', n: 0 }), { value: { owner: 'b', n: 0 } }),
    ],
    [
      'a write is answered with its value, names in another order',
      'holds',
      (s) => s.do(write({ owner: 'a', n: 0 }), { value: { n: 0, owner: 'a' } }),
    ],
    [
      'a removal is answered with a row',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(remove, { value: 1 });
      },
    ],
    [
      'two unknown increments counted one by one',
      'holds',
      (s) => {
        s.do(write(0));
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 0 });
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'two unknown increments counted three times',
      'violated',
      (s) => {
        s.do(write(0));
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 3 });
      },
    ],
    [
      'an increment beyond 2^53, as text',
      'holds',
      (s) => {
        s.do(write('9007199254740993'));
        s.do(increment, { value: '9007199254740994' });
        s.do(read, { value: '9007199254740994' });
      },
    ],
    [
      'an increment answered with no number',
      'violated',
      (s) => {
        s.do(write('none'));
        s.do(increment, { value: 'nonf' });
      },
    ],
    [
      'an increment of a field that the row does not have',
      'violated',
      (s) => {
        s.do(write({ owner: 'a' }));
        s.do({ op: 'increment', by: 1, field: 'n' });
      },
    ],
    [
      'an increment of a list',
      'violated',
      (s) => {
        s.do(write([1]));
        s.do({ op: 'increment', by: 1, field: '0' });
      },
    ],
    [
      'a removal finds no row though one was there',
      'violated',
      (s) => {
        s.do(write(1));
        s.recorder.fail(s.begin(remove), 'NOT_FOUND');
      },
    ],
    [
      'an increment finds no row though one was there',
      'violated',
      (s) => {
        s.do(write(1));
        s.recorder.fail(s.begin(increment), 'NOT_FOUND');
      },
    ],
    [
      'a write that is refused for what the server says tells nothing of the value',
      'holds',
      (s) => {
        s.do(write(1));
        s.recorder.fail(
          s.begin({ op: 'cas', value: 2, expect: 1, ifMatch: 1 }),
          'VERSION_MISMATCH',
        );
        s.recorder.fail(s.begin(write(2)), 'NOT_FOUND');
        s.recorder.fail(s.begin(remove), 'FENCED');
        s.recorder.fail(s.begin(increment), 'VALUE_MISMATCH');
      },
    ],
    [
      'a compare-and-set by version alone',
      'holds',
      (s) => {
        s.do(write(1));
        s.do({ op: 'cas', value: 2, ifMatch: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'a row is removed twice with an unknown write between',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(remove);
        s.recorder.unknown(s.begin(write(2)), 'TIMED_OUT');
        s.do(remove);
      },
    ],
    [
      'a row is removed twice with nothing between',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(remove);
        s.do(remove);
      },
    ],
    [
      'an unknown write, then an unknown increment of it, is seen',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(5)), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 6 });
      },
    ],
    [
      'an unknown removal whose code says that nothing was there',
      'holds',
      (s) => {
        s.do(write(1));
        s.recorder.unknown(s.begin(remove), 'NOT_FOUND');
        s.do(read, { value: 1 });
      },
    ],
    [
      'two fields incremented, each by its own',
      'holds',
      (s) => {
        s.do(write({ a: 0, b: 0 }));
        s.do({ op: 'increment', by: 1, field: 'a' });
        s.do({ op: 'increment', by: 1, field: 'b' });
        s.recorder.unknown(s.begin({ op: 'increment', by: 1, field: 'b' }), 'TIMED_OUT');
        s.do(read, { value: { a: 1, b: 2 } });
      },
    ],
    [
      'two fields incremented, one for the other',
      'violated',
      (s) => {
        s.do(write({ a: 0, b: 0 }));
        s.do({ op: 'increment', by: 1, field: 'a' });
        s.do({ op: 'increment', by: 1, field: 'b' });
        s.do(read, { value: { a: 2, b: 0 } });
      },
    ],
    [
      'a sum beyond 2^53 that comes back by a lower number',
      'holds',
      (s) => {
        const [low, high] = ['9007199254740990', '9007199254740993'];
        for (let round = 0; round < 2; round++) {
          s.do(write(low));
          s.do({ op: 'increment', by: 3 }, { value: high });
          s.do(read, { value: high });
        }
      },
    ],
    [
      'a difference that comes back by a number beyond 2^53',
      'holds',
      (s) => {
        const [low, high] = ['9007199254740990', '9007199254740993'];
        for (let round = 0; round < 2; round++) {
          s.do(write(high));
          s.do({ op: 'increment', by: -3 }, { value: low });
          s.do(read, { value: low });
        }
      },
    ],
    [
      'an unknown compare-and-set brings back a lower number',
      'holds',
      (s) => {
        s.do(write(5));
        s.do(increment, { value: 6 });
        s.recorder.unknown(s.begin({ op: 'cas', value: 5, expect: 6 }), 'TIMED_OUT');
        s.do(read, { value: 6 });
        s.do(read, { value: 5 });
        s.do(increment, { value: 6 });
      },
    ],
  ];

  test.each(cases)('%s: %s', (_name, verdict, steps) => {
    const judged = checkValues(recorded(steps));
    expect(judged.verdict).toBe(verdict);
    expect(judged.violations.length > 0).toBe(verdict === 'violated');
  });
});

describe('repeats with one idempotency key', () => {
  const repeat = { ...increment, idempotencyKey: 'k' };

  test('count once, whichever of them applied', () => {
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

describe('the violation', () => {
  test('names the write that was overtaken, the one that overtook it and the stale read', () => {
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

  test('is shown with a refusal that contradicts what is known', () => {
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
  ])('of %s that was answered beside the question says so', (_name, message, steps) => {
    const [violation] = checkValues(recorded(steps)).violations;
    expect(violation?.message).toMatch(message);
    expect(violation).toMatchObject({ rule: 'values', key: 'account:1', operations: [{ id: 1 }] });
  });

  test('of a value out of nowhere names the read', () => {
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
  test('ends at its bound, and says so', () => {
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
  ])('stays below one configuration an operation with %s', (_name, options, work) => {
    const history = randomHistory({ seed: 5, operations: 4_000, ...options });
    const judged = checkValues(history);
    expect(judged.verdict).toBe('holds');
    expect(judged.visited).toBe(work);
  });

  test('stays below that where the values are numbers', () => {
    const lines = randomRun({ seed: 5, operations: 4_000, clients: 20, keys: 2, unknown: 0.05 });
    const judged = checkValues(parseHistory(asNumbers(lines)));
    expect(judged.verdict).toBe('holds');
    expect(judged.visited).toBe(1422);
  });
});
