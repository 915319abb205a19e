import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestProject } from 'vitest/node';
import { startMysql } from './mysql.ts';
import { startPostgres } from './postgres.ts';
import type { TestServer } from './test-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Answers `GET /pg` and `GET /mysql2` with an administrator's URL, starting the server at the first question. */
    lockstepTestDatabases: string;
  }
}

const STARTERS: Record<string, () => Promise<TestServer>> = {
  '/pg': startPostgres,
  '/mysql2': startMysql,
};

/**
 * One PostgreSQL and one MariaDB for the whole run, each started when the first test file asks for it.
 * @returns the tear-down.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running = new Map<string, Promise<TestServer>>();
  const broker = createServer((request, response) => void answer(running, request, response));
  await new Promise<void>((resolve, reject) => {
    broker.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  broker.unref();
  const address = broker.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  project.provide('lockstepTestDatabases', `http://127.0.0.1:${address.port}`);
  return async () => {
    broker.close();
    broker.closeAllConnections();
    for (const starting of running.values()) {
      // A server that could not start has failed its test; there is nothing to stop.
      const server = await starting.catch(() => undefined);
      await server?.stop();
    }
  };
}

async function answer(
  running: Map<string, Promise<TestServer>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url ?? '';
  const start = STARTERS[path];
  if (!start) {
    response.writeHead(404).end();
    return;
  }
  const server = running.get(path) ?? start();
  running.set(path, server);
  try {
    response.end((await server).url);
  } catch (error) {
    response.writeHead(500).end(error instanceof Error ? error.message : String(error));
  }
}
