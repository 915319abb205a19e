import { Agent, request, type IncomingMessage } from 'node:http';
import type { LoadOperation } from './load-plan.ts';

/** What came back. `status` null: no answer at all. */
export interface LoadAnswer {
  status: number | null;
  retryAfterMs: number | null;
}

/** Calls the API; never rejects. */
export interface LoadClient {
  call(operation: LoadOperation): Promise<LoadAnswer>;
  close(): void;
}

const NO_ANSWER: LoadAnswer = { status: null, retryAfterMs: null };
const MAX_CONNECTIONS = 16;
const ANSWER_TIMEOUT_MS = 15_000;

/** A client with kept connections, as a service would have. @param url of the coordinator */
export function createLoadClient(url: string, token: string): LoadClient {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const authorization = `Bearer ${token}`;
  return {
    call: (operation) => call(agent, url, authorization, operation),
    close: () => agent.destroy(),
  };
}

function call(
  agent: Agent,
  url: string,
  authorization: string,
  { method, path, body }: LoadOperation,
): Promise<LoadAnswer> {
  return new Promise((resolve) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string | number> = { authorization };
    if (text !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(text);
    }
    const target = new URL(`/v1/resources/${path}`, url);
    const sent = request(target, { agent, method, headers, timeout: ANSWER_TIMEOUT_MS });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(NO_ANSWER));
    sent.on('close', () => resolve(NO_ANSWER));
    sent.on('response', (response) => {
      response.on('error', () => resolve(NO_ANSWER));
      response.on('end', () => resolve(answerOf(response)));
      response.resume();
    });
    sent.end(text);
  });
}

function answerOf({ statusCode, headers }: IncomingMessage): LoadAnswer {
  const seconds = Number(headers['retry-after']);
  return {
    status: statusCode ?? null,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : null,
  };
}
