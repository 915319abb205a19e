import type { Runtime } from '../runtime/index.ts';

/** `promise`, or a rejection after `boundMs`; what comes later is dropped. */
export function within<T>(
  timers: Runtime['timers'],
  boundMs: number,
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(boundMs, () => reject(new Error(`no answer within ${boundMs} ms`)));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
