import { setTimeout as sleep } from 'node:timers/promises';

export interface PollOptions {
  /** How long the condition may take. Default 20 s: a loaded machine may take its time. */
  withinMs?: number;
  /** Time between two looks. Default 50 ms. */
  everyMs?: number;
}

/**
 * Calls `look` until it stops throwing, and answers what it answers.
 * @throws the last error of `look` when the time is up
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: PollOptions = {},
): Promise<T> {
  const { withinMs = 60_000, everyMs = 50 } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(everyMs);
  }
}

/** Milliseconds that `work` took, with what it answered. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const startedAt = performance.now();
  const result = await work();
  return { result, tookMs: performance.now() - startedAt };
}
