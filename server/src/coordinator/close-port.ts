/**
 * Closes a port without resetting connections.
 *
 * The operating system accepts a client's connection before this process does, which takes one in each iteration of the
 * event loop. Closing the port resets those that still wait: a request on such a connection is lost, and its client
 * cannot know whether it was carried out. No system call closes a port without that. So the port is closed right after
 * an iteration that found no waiting connection and was short; only a connection made within these microseconds can
 * still be reset. Meanwhile new requests are held, for two reasons: the iterations stay short, and clients that wait
 * for an answer open no further connections.
 */
import { Server } from 'node:net';
import type { Runtime } from '../runtime/index.ts';

/** The port is calm if no connection has arrived for this long. */
const CALM_MS = 30;
const SHORT_ITERATION_MS = 0.1;
/**
 * After this time a short iteration is enough, because clients that do not wait for answers may never let it become
 * calm.
 */
const CALM_WITHIN_MS = 250;
/** After this time the port is closed anyway, because a busy machine may have no short iterations. */
const CLOSED_WITHIN_MS = 500;

/** Accepts no more connections. Open ones stay open, also idle ones, because a balancer may be sending on them. */
export async function closePort(server: Server, clock: Runtime['clock']): Promise<void> {
  const startedAtMs = clock.nowMs();
  let lastComerMs = startedAtMs;
  const noteComer = (): void => {
    lastComerMs = clock.nowMs();
  };
  server.on('connection', noteComer);
  for (;;) {
    const iterationStartMs = clock.nowMs();
    await new Promise<void>((resolve) => setImmediate(resolve));
    const nowMs = clock.nowMs();
    if (lastComerMs >= iterationStartMs) continue;
    const sinceStartMs = nowMs - startedAtMs;
    if (sinceStartMs > CLOSED_WITHIN_MS) break;
    const isCalm = nowMs - lastComerMs > CALM_MS || sinceStartMs > CALM_WITHIN_MS;
    if (isCalm && nowMs - iterationStartMs < SHORT_ITERATION_MS) break;
  }
  // Unlike the HTTP server's own `close`, this leaves idle connections open.
  Server.prototype.close.call(server);
  server.off('connection', noteComer);
}
