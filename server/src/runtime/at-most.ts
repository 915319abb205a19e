import type { Timers } from './ports.ts';

/** Waits for `work` for at most `boundMs`; a later result or failure is ignored. Rejects if `work` rejects in time. */
export function atMost(timers: Timers, boundMs: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(boundMs, resolve);
    work.then(() => resolve(), reject).finally(() => timer.cancel());
  });
}
