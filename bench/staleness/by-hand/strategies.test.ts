import { describe, expect, test } from 'vitest';
import type { ByHandName } from './protocol.ts';
import type { CachedRow } from './servers.ts';
import { type Store, type Strategy, strategyOf } from './strategies.ts';
import { KeyQueues } from './key-queues.ts';

/** One row on both servers, which log the calls. */
function storeOf(log: string[]): Store {
  let row: CachedRow = { n: 0, counter: 0 };
  let cached: CachedRow | null = null;
  const asked = <T>(what: string, answer: T): Promise<T> => {
    log.push(what);
    return Promise.resolve(answer);
  };
  return {
    select: () => asked('SELECT', row),
    update: (_, { column, value }) => {
      row = { ...row, n: row.n + 1, [column]: value };
      return asked('UPDATE', row);
    },
    get: () => asked('GET', cached),
    set: (_, value) => {
      cached = value;
      return asked(`SET n=${value.n}`, undefined);
    },
    delete: () => {
      cached = null;
      return asked('DEL', undefined);
    },
    deleteSurely: () => asked('DEL', undefined),
  };
}

function open(name: ByHandName): { strategy: Strategy; log: string[] } {
  const log: string[] = [];
  const options = { name, table: 't', index: 0, databaseUrl: '', cacheUrl: '', lockUrls: [] };
  return { strategy: strategyOf(options, storeOf(log)), log };
}

const setValue = () => ({ column: 'value', value: 9 }) as const;
const addOne = ({ counter }: CachedRow) => ({ column: 'counter', value: counter + 1 }) as const;

describe('a write by hand', () => {
  test.each<[ByHandName, string[]]>([
    ['database-then-cache', ['UPDATE', 'SET n=1']],
    ['cache-then-database', ['GET', 'SELECT', 'SET n=0', 'SET n=1', 'UPDATE']],
    ['delete-then-database', ['DEL', 'UPDATE']],
    ['cache-aside', ['UPDATE', 'DEL']],
    ['change-log-delete', ['UPDATE']],
    ['routing-by-key', ['SELECT', 'UPDATE', 'SET n=1']],
  ])('of %s takes its steps in order', async (name, steps) => {
    const { strategy, log } = open(name);
    expect(await strategy.write(1, setValue, false)).toBe(1);
    expect(log).toEqual(steps);
  });

  test('of double-delete deletes again after some time', async () => {
    const { strategy, log } = open('double-delete');
    await strategy.write(1, setValue, false);
    expect(log).toEqual(['DEL', 'UPDATE']);
    await strategy.close?.();
    expect(log).toEqual(['DEL', 'UPDATE', 'DEL']);
  });

  test('that depends on the row reads it in the same way as its readers', async () => {
    const { strategy, log } = open('cache-aside');
    await strategy.write(1, addOne, true);
    expect(await strategy.read(1)).toMatchObject({ n: 1, fromDatabase: true });
    expect(await strategy.read(1)).toMatchObject({ row: { counter: 1 }, fromDatabase: false });
    expect(log).toEqual([
      ...['GET', 'SELECT', 'SET n=0', 'UPDATE', 'DEL'],
      ...['GET', 'SELECT', 'SET n=1', 'GET'],
    ]);
  });
});

describe('exclusive access to a key', () => {
  test('is given to one caller after the other, also after one failed', async () => {
    const queues = new KeyQueues();
    const order: string[] = [];
    const holder = (name: string) => async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    };
    const failing = queues.hold(1, () => Promise.reject(new Error('no')));
    const both = [queues.hold(1, holder('a')), queues.hold(1, holder('b'))];
    await expect(failing).rejects.toThrow('no');
    await Promise.all(both);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });
});
