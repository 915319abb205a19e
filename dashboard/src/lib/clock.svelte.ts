/**
 * A clock that ticks ten times a second while something on the page reads it, and not otherwise.
 * It counts milliseconds on the browser's monotonic clock.
 */
import { createSubscriber } from 'svelte/reactivity';

const TICK_MS = 100;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK_MS);
  return () => clearInterval(timer);
});

export const clock = {
  /** The present moment. Reading it in a template or an effect keeps that up to date. */
  get nowMs(): number {
    subscribe();
    return performance.now();
  },
};
