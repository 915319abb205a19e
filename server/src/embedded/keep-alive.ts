/**
 * Keeps the process alive until `work` is settled. The runtime's timers do not, and while the start ends leftovers or
 * waits for another claimant, there may be nothing else that does.
 */
export async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const handle = setInterval(() => undefined, 60_000);
  try {
    return await work;
  } finally {
    clearInterval(handle);
  }
}
