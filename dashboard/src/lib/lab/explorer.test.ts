import { exploreStrategy } from '@lockstep/lab';
import { beforeEach, describe, expect, it } from 'vitest';
import { Explorer, type FromWorker, type ToWorker, type WorkerLike } from './explorer.ts';

/** A worker that does only what the test tells it to. */
class HeldWorker implements WorkerLike {
  onmessage: WorkerLike['onmessage'] = null;
  onerror: WorkerLike['onerror'] = null;
  readonly asked: string[] = [];
  isEnded = false;

  postMessage({ strategy }: ToWorker): void {
    this.asked.push(strategy);
  }

  terminate(): void {
    this.isEnded = true;
  }

  say(data: FromWorker): void {
    this.onmessage?.({ data } as MessageEvent<FromWorker>);
  }

  finish(strategy: string): void {
    const report = exploreStrategy(strategy, { writers: 1, readers: 0 });
    this.say({ strategy, kind: 'report', report, tookMs: 1 });
  }
}

let workers: HeldWorker[];
let explorer: Explorer;
const first = (): HeldWorker => {
  const [worker] = workers;
  if (worker === undefined) throw new Error('no worker was started');
  return worker;
};

beforeEach(() => {
  workers = [];
  explorer = new Explorer(() => {
    const worker = new HeldWorker();
    workers.push(worker);
    return worker;
  });
});

describe('explorations', () => {
  it('are done one after the other, each once', () => {
    explorer.explore(['cache-then-database', 'database-then-cache']);
    explorer.explore(['database-then-cache', 'cache-then-database']);
    expect(first().asked).toEqual(['cache-then-database']);
    expect(explorer.all.get('database-then-cache')).toEqual({ phase: 'waiting' });
    first().finish('cache-then-database');
    expect(explorer.all.get('cache-then-database')).toMatchObject({ phase: 'done', tookMs: 1 });
    first().finish('database-then-cache');
    explorer.explore(['cache-then-database']);
    expect(first().asked).toEqual(['cache-then-database', 'database-then-cache']);
    expect(workers).toHaveLength(1);
  });

  it('tell how far they are', () => {
    explorer.explore(['strict']);
    const progress = { explored: 16_384, states: 40_000 };
    first().say({ strategy: 'strict', kind: 'progress', progress });
    expect(explorer.all.get('strict')).toEqual({ phase: 'exploring', progress });
  });

  it('are stopped at once, keep what was found, and can be asked for again', () => {
    explorer.explore(['database-then-cache', 'strict', 'delete-after-write']);
    first().finish('database-then-cache');
    explorer.stop();
    expect(first().isEnded).toBe(true);
    expect([...explorer.all.keys()]).toEqual(['database-then-cache']);
    explorer.explore(['strict']);
    expect(workers.map(({ asked }) => asked)).toEqual([
      ['database-then-cache', 'strict'],
      ['strict'],
    ]);
  });

  it('that fail say why, do not keep the next one, and may be tried again', () => {
    explorer.explore(['strict', 'database-then-cache']);
    first().onerror?.({ message: 'out of memory' } as ErrorEvent);
    expect(explorer.all.get('strict')).toEqual({ phase: 'failed', message: 'out of memory' });
    expect(workers.at(-1)?.asked).toEqual(['database-then-cache']);
    workers.at(-1)?.say({ strategy: 'database-then-cache', kind: 'fault', message: 'no' });
    expect(explorer.all.get('database-then-cache')?.phase).toBe('failed');
    explorer.explore(['strict']);
    expect(explorer.all.get('strict')?.phase).toBe('exploring');
  });
});
