import type { IncomingMessage, ServerResponse } from 'node:http';
import { jsonText } from '@lockstep/shared';

/** The header of requests and answers that carries what a caller has seen. */
export const TOKEN_HEADER = 'Lockstep-Token';

/** The answer to a call. `body` is a JSON value; `text` is the body's text where that is made already. Neither: no body. */
export interface Answer {
  status: number;
  body?: object | undefined;
  text?: string;
  headers?: Record<string, string>;
}

/** Another instance's answer, passed on as it came. */
export interface PassedAnswer {
  status: number;
  /** Name, value, name, value …; without `Content-Length`. */
  rawHeaders: readonly string[];
  bytes: Buffer;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends an answer of the API: never stored, never sniffed, never framed. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: Answer,
  stamp: Readonly<Record<string, string>> = {},
): void {
  const { body } = answer;
  const text = answer.text ?? (body === undefined ? '' : jsonText(body));
  const headers: Record<string, string | number> = {
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...stamp,
    ...answer.headers,
  };
  if (answer.text === undefined && body === undefined) delete headers['Content-Type'];
  if (answer.status === 304 || answer.status === 204) delete headers['Content-Length'];
  response.writeHead(answer.status, headers);
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** Passes an answer on. */
export function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { status, rawHeaders, bytes }: PassedAnswer,
): void {
  const hasBody = request.method !== 'HEAD' && status !== 304 && status !== 204;
  const length = hasBody ? ['Content-Length', String(bytes.length)] : [];
  response.writeHead(status, [...rawHeaders, ...length]);
  response.end(hasBody ? bytes : undefined);
}
