import type { IncomingMessage, ServerResponse } from 'node:http';

/** What one call is answered with. `body` is the JSON value; undefined: no body. */
export interface Answer {
  status: number;
  body?: object | undefined;
  headers?: Record<string, string>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends an answer of the API: never stored, never sniffed, never framed. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: Answer,
): void {
  const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
  const headers: Record<string, string | number> = {
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...answer.headers,
  };
  if (answer.body === undefined) delete headers['Content-Type'];
  if (answer.status === 304 || answer.status === 204) delete headers['Content-Length'];
  response.writeHead(answer.status, headers);
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** The entity tag of a version. */
export const etagOf = (version: number): string => `"${version}"`;
