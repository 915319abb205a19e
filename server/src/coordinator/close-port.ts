/**
 * Closing a port without resetting anybody.
 *
 * A client's connection is made by the system, and waits there until this process accepts it, one in each round of the
 * event loop. Closing the port resets the ones that wait; a request that was sent on such a connection is lost, and its
 * client cannot know whether it was carried out. No call closes a port and leaves these alone. So the port is closed
 * behind a look at the network that has found nobody waiting, in a round of the loop that was short: what is left is a
 * connection that is made within these microseconds. While this goes on new requests are held, for two reasons: the
 * rounds are short then, and clients that wait for an answer make no further connections.
 */
import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';
import type { Runtime } from '../runtime/index.ts';

/** Nobody has come for so long. */
const CALM_MS = 30;
const SHORT_ROUND_MS = 0.1;
/** Clients that do not wait for answers never let it become calm: then a short round must be enough. */
const CALM_WITHIN_MS = 250;
/** A machine that is busy with other things may have no short rounds. */
const CLOSED_WITHIN_MS = 500;

/** Takes no more connections. Those that are open stay so, idle ones too: a balancer may be sending on one. */
export async function closePort(server: Server, clock: Runtime['clock']): Promise<void> {
  const startedAtMs = clock.nowMs();
  let lastComerMs = startedAtMs;
  const noteComer = (): void => {
    lastComerMs = clock.nowMs();
  };
  server.on('connection', noteComer);
  for (;;) {
    const roundMs = clock.nowMs();
    await new Promise<void>((resolve) => setImmediate(resolve));
    const nowMs = clock.nowMs();
    if (lastComerMs >= roundMs) continue;
    const sinceStartMs = nowMs - startedAtMs;
    if (sinceStartMs > CLOSED_WITHIN_MS) break;
    const isCalm = nowMs - lastComerMs > CALM_MS || sinceStartMs > CALM_WITHIN_MS;
    if (isCalm && nowMs - roundMs < SHORT_ROUND_MS) break;
  }
  // The HTTP server's own `close` would end idle connections at once.
  TcpServer.prototype.close.call(server);
  server.off('connection', noteComer);
}
