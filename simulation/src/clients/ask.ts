import type { StoredEntry } from '../../../server/src/cache/port.ts';
import type { CoordinatorProcess } from '../world/coordinator-process.ts';
import { Unanswered } from '../world/network.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { TIMING } from '../world/timing.ts';
import type { MemoryCache } from '../servers/memory-cache.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Server } from '../world/server.ts';
import type { Trace } from '../world/trace.ts';

const HOP_MS: readonly [number, number] = [0.1, 1];

/** What clients and services meet of a world. */
export interface AskedWorld {
  readonly plan: { readonly seed: number };
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly cache: MemoryCache;
  /** The process of a coordinator; undefined while none runs. */
  process(index: number): CoordinatorProcess | undefined;
  server(name: 'cache'): Server;
}

/** The durations of messages between a client and the process that it calls. */
export function hopsOf(world: AskedWorld, operation: string): () => number {
  const random = SeededRandom.of(world.plan.seed, operation);
  return () => random.between(...HOP_MS);
}

interface Call<T> {
  /** The client's name. */
  name: string;
  hopMs: () => number;
  what: string;
  run: (process: CoordinatorProcess) => Promise<T>;
}

/**
 * Calls a coordinator, as over HTTP.
 * @throws Unanswered `refused` if no process runs, `cut` if it is killed before it answers, `timeout`
 */
export function askCoordinator<T>(
  world: AskedWorld,
  index: number,
  { name, hopMs, what, run }: Call<T>,
): Promise<T> {
  const { scheduler, trace } = world;
  return new Promise<T>((resolve, reject) => {
    const timer = scheduler.after(TIMING.clientMs, () => reject(new Unanswered('timeout')));
    const settle = (tell: () => void): void => {
      timer.cancel();
      scheduler.after(hopMs(), tell);
    };
    scheduler.after(hopMs(), () => {
      const process = world.process(index);
      if (process === undefined) return settle(() => reject(new Unanswered('refused')));
      trace.note(name, () => `asks ${process.name}: ${what}`);
      const died = (): void => settle(() => reject(new Unanswered('cut')));
      process.onDeath.add(died);
      const answer = (tell: () => void): void => {
        process.onDeath.delete(died);
        settle(tell);
      };
      process.deliver(() => {
        run(process).then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(asError(error))),
        );
      });
    });
  });
}

/** A client's own GET from the cache; null if there is nothing, or the cache does not answer. */
export function readCache(
  world: AskedWorld,
  cacheKey: string,
  { name, hopMs }: Pick<Call<unknown>, 'name' | 'hopMs'>,
): Promise<StoredEntry | null> {
  const { scheduler, trace } = world;
  return new Promise((resolve) => {
    scheduler.after(hopMs(), () => {
      const server = world.server('cache');
      if (server.isDown) {
        scheduler.after(hopMs(), () => resolve(null));
        return;
      }
      // A server that goes down does not answer.
      const timer = scheduler.after(TIMING.clientMs, () => resolve(null));
      server.receive(() => {
        timer.cancel();
        const stored = world.cache.read(cacheKey);
        const who = `${name} -> cache`;
        trace.note(who, () => `get ${cacheKey}: ${stored?.text.replace('\n', ' ') ?? 'nothing'}`);
        scheduler.after(hopMs(), () => resolve(stored));
      });
    });
  });
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
