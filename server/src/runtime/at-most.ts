import type { Timers } from './ports.ts';

/** Waits for `work`, but no longer than `boundMs`; how it ends after that is dropped. Rejects as `work` does. */
export function atMost(timers: Timers, boundMs: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(boundMs, resolve);
    work.then(() => resolve(), reject).finally(() => timer.cancel());
  });
}
