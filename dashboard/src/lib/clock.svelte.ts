/**
 * A clock that ticks ten times a second, but only while something on the page reads it.
 * Its time is in milliseconds on the browser's monotonic clock.
 */
import { createSubscriber } from 'svelte/reactivity';

const TICK_MS = 100;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK_MS);
  return () => clearInterval(timer);
});

export const clock = {
  /** The present time. A template or effect that reads it is updated with each tick. */
  get nowMs(): number {
    subscribe();
    return performance.now();
  },
};
