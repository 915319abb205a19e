/**
 * A mock of the coordinator with made-up live data and answers, for working on the dashboard alone.
 * `vite --mode mock`, then sign in with any token but `wrong`. `MOCK=bad` shows a bad day, `MOCK=empty` a first start.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as LiveServer } from 'socket.io';
import type { Connect, Plugin, PreviewServer, ViteDevServer } from 'vite';
import { answer } from './mock-answers.ts';
import { createEvents } from './mock-events.ts';

const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws:";

/** A vite plugin that plays the coordinator in the development and the preview server. */
export function mockCoordinator(): Plugin {
  const start = (server: ViteDevServer | PreviewServer): void => {
    if (server.httpServer === null) return;
    serve(server.httpServer as Server, server.middlewares);
  };
  return { name: 'mock-coordinator', configureServer: start, configurePreviewServer: start };
}

function serve(httpServer: Server, middlewares: Connect.Server): void {
  const events = createEvents(process.env['MOCK'] ?? 'well');
  const live = new LiveServer(httpServer, { path: '/live' }).of('/ops');
  live.use((socket, next) => {
    const { token } = socket.handshake.auth as { token?: unknown };
    next(token === 'wrong' ? new Error('UNAUTHENTICATED') : undefined);
  });
  live.on('connection', (socket) => {
    for (const [name, payload] of Object.entries(events(true))) socket.emit(name, payload);
  });
  const timer = setInterval(() => {
    for (const [name, payload] of Object.entries(events(false))) live.emit(name, payload);
  }, 1000);
  httpServer.on('close', () => clearInterval(timer));
  middlewares.use((request: IncomingMessage, response: ServerResponse, next) => {
    const url = new URL(request.url ?? '/', 'http://mock');
    if (!url.pathname.startsWith('/v1/ops/')) {
      if (process.env['MOCK_CSP']) response.setHeader('content-security-policy', CSP);
      return next();
    }
    const denied =
      !request.headers.authorization || request.headers.authorization.endsWith('wrong');
    const body = denied
      ? { code: 'UNAUTHENTICATED', status: 401, detail: 'A valid bearer token is required.' }
      : answer(url, request.method ?? 'GET', process.env['MOCK'] ?? 'well');
    response.statusCode = denied ? 401 : 200;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
}
