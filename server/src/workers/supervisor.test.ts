import { describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { ConfigError } from '../config/index.ts';
import { type Answers, Channel } from './channel.ts';
import type { AskedOfParent, AskedOfWorker, WorkerOrder } from './contract.ts';
import { mergeReadiness, Supervisor, type WorkerProcess } from './supervisor.ts';

/** A worker's process in memory. */
class FakeWorker implements WorkerProcess {
  readonly pid: number;
  readonly channel: Channel<AskedOfWorker, AskedOfParent>;
  readonly ended: Promise<string>;
  readonly told: string[] = [];
  end: (how: string) => void = () => undefined;

  constructor(
    pid: number,
    toParent: Answers<AskedOfParent>,
    runtime: ManualRuntime,
    behaviour: Partial<Answers<AskedOfWorker>>,
  ) {
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    const [parentEnd, workerEnd] = pipes();
    this.channel = new Channel(parentEnd, toParent, runtime);
    const note = (name: string): Promise<null> => {
      this.told.push(name);
      return Promise.resolve(null);
    };
    const parent = new Channel<AskedOfParent, AskedOfWorker>(
      workerEnd,
      {
        start: () => Promise.resolve({ address: `http://worker-${pid}.test` }),
        siblings: (addresses) => note(`siblings ${addresses.length}`),
        metrics: () => Promise.resolve([]),
        ready: () => Promise.resolve({ ok: true, checks: [] }),
        key: () => Promise.resolve({ lock: null, events: [] }),
        reload: () => note('reload'),
        follow: () => note('follow').then(() => true),
        stop: () => {
          this.end('exit code 0');
          return note('stop');
        },
        ...behaviour,
      },
      runtime,
    );
    parent.ask('hello', null, null).catch(() => undefined);
  }

  hand(): void {
    throw new Error('No test hands it a connection.');
  }

  kill(): void {
    this.end('signal SIGKILL');
  }
}

function pipes() {
  const listeners: [((message: unknown) => void)[], ((message: unknown) => void)[]] = [[], []];
  const end = (own: 0 | 1, other: 0 | 1) => ({
    send: (message: object) =>
      queueMicrotask(() => listeners[other].forEach((listener) => listener(message))),
    onMessage: (listener: (message: unknown) => void) => void listeners[own].push(listener),
  });
  return [end(0, 1), end(1, 0)] as const;
}

function scene(behaviourOf: (pid: number) => Partial<Answers<AskedOfWorker>> = () => ({})) {
  const runtime = manualRuntime();
  const workers: FakeWorker[] = [];
  const inRotation = new Set<number>();
  const pidOf = (taker: unknown): number => (taker as FakeWorker).pid;
  const supervisor = new Supervisor({
    count: 2,
    config: {} as never, // only passed on
    fork: (answers) => {
      const pid = workers.length + 1;
      const worker = new FakeWorker(pid, answers, runtime, behaviourOf(pid));
      workers.push(worker);
      return worker;
    },
    order: (slot) => ({ slot }) as WorkerOrder,
    port: {
      add: (taker) => void inRotation.add(pidOf(taker)),
      remove: (taker) => void inRotation.delete(pidOf(taker)),
    },
    closePort: () => Promise.resolve(),
    onChanged: () => undefined,
    runtime,
  });
  return { runtime, workers, supervisor, rotation: () => [...inRotation].sort() };
}

describe('the workers of a coordinator', () => {
  it('start, know one another, and only then get connections', async () => {
    const { supervisor, workers, rotation } = scene();
    await supervisor.start();
    expect(rotation()).toEqual([1, 2]);
    expect(workers[0]?.told).toContain('siblings 2');
    expect(supervisor.processes().map(({ pid }) => pid)).toEqual([1, 2]);
  });

  it('fail the start with the cause where one refuses to start (J8)', async () => {
    const fault = { path: 'listen.port', message: 'is taken' };
    const { supervisor } = scene((pid) =>
      pid === 2 ? { start: () => Promise.reject(new ConfigError([fault])) } : {},
    );
    await expect(supervisor.start()).rejects.toMatchObject({ faults: [fault] });
  });

  it('fail the start with the way in which one ended while it started (J8)', async () => {
    const { supervisor, workers, runtime } = scene((pid) =>
      pid === 2 ? { start: () => new Promise(() => undefined) } : {},
    );
    const started = supervisor.start();
    started.catch(() => undefined);
    await runtime.settle();
    workers[1]?.end('exit code 7');
    await expect(started).rejects.toThrow('Worker 2 did not start: exit code 7.');
  });

  it('are replaced when they end, later with each time (J7)', async () => {
    const { supervisor, workers, runtime, rotation } = scene();
    await supervisor.start();
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      workers.at(-1)?.kill();
      const before = workers.length;
      const startedAtMs = runtime.clock.nowMs();
      await runtime.advanceUntil(() => workers.length > before, 20_000, 10);
      waits.push(runtime.clock.nowMs() - startedAtMs);
    }
    await runtime.settle();
    expect(rotation()).toEqual([1, workers.length]);
    expect(waits.at(-1)).toBeGreaterThan(4 * (waits[0] ?? Infinity) - 100);
  });

  it('are ended and replaced when they do not answer for half a minute (J7)', async () => {
    const { supervisor, workers, runtime, rotation } = scene((pid) =>
      pid === 2 ? { metrics: () => new Promise(() => undefined) } : {},
    );
    await supervisor.start();
    await runtime.advance(45_000);
    expect(workers).toHaveLength(3);
    expect(rotation()).toEqual([1, 3]);
  });

  it('are told to stop together, and none is replaced then', async () => {
    const { supervisor, workers, runtime } = scene();
    await supervisor.start();
    await supervisor.stop();
    await runtime.advance(60_000);
    expect(workers.map(({ told }) => told.at(-1))).toEqual(['stop', 'stop']);
  });
});

describe('readiness of several workers', () => {
  const workers = { name: 'workers', ok: true, required: false, detail: null };
  const check = (ok: boolean) => ({
    name: 'cache',
    ok,
    required: true,
    detail: ok ? null : 'down',
  });

  it('is the least of theirs, and shows the check that failed', () => {
    const parts = [true, false].map((ok) => ({ ok, checks: [check(ok)] }));
    expect(mergeReadiness(parts, workers)).toEqual({ ok: false, checks: [check(false), workers] });
  });
});
