import type { Log, Runtime } from '../../../server/src/runtime/ports.ts';
import type { MachineClock } from './machine-clock.ts';
import type { Caller } from './network.ts';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { Trace } from './trace.ts';

const SILENT_LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The runtime of the engine in one simulated process: its machine's clock, and timers that stop with the process. */
export function processRuntime(
  caller: Caller,
  clock: MachineClock,
  random: SeededRandom,
  trace: Trace,
): Runtime {
  let lastId = 0;
  const after: Runtime['timers']['after'] = (delayMs, run) => caller.timeout(delayMs, run);
  return {
    clock: { nowMs: () => clock.nowMs(), wallMs: () => clock.wallMs() },
    timers: {
      after,
      soon: (run) => void after(0, run),
      sleep: (delayMs, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted === true) return resolve();
          const done = (): void => {
            timer.cancel();
            signal?.removeEventListener('abort', done);
            resolve();
          };
          const timer = after(delayMs, done);
          signal?.addEventListener('abort', done, { once: true });
        }),
    },
    random: { next: () => random.next() },
    ids: { next: () => `${caller.name.replace(' ', '-')}-${(lastId += 1)}` },
    log: trace.isOn ? tracedLog(caller, trace) : SILENT_LOG,
  };
}

function tracedLog({ name }: Caller, trace: Trace): Log {
  const noted =
    (level: string): Log['info'] =>
    (fields, message) =>
      trace.note(name, () => `${level}: ${message}${causeOf(fields)}`);
  return { debug: noted('debug'), info: noted('info'), warn: noted('warn'), error: noted('error') };
}

function causeOf(fields: object): string {
  return 'err' in fields && fields.err instanceof Error ? ` (${fields.err.message})` : '';
}
