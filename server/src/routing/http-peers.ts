import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from 'node:http';
import { Agent as TlsAgent, request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { ERROR_CODES } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import type { PeerAnswer, PeerCall, PeerResult, Peers } from './port.ts';

/** A member that does not accept a connection within this time counts as unreachable. */
const CONNECT_MS = 500;
/** Much shorter than members keep idle connections, so that none is closed just when it is used again. */
const IDLE_MS = 4_000;
const MAX_IDLE_CONNECTIONS = 64;
/** A longer answer counts as no answer, because an answer is held in memory until it is complete. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/**
 * The statuses that a member's answer to a call of one key or of a lease can have: those of results and of error codes.
 */
const STATUSES = new Set<number>([
  ...[200, 201, 204, 304],
  ...Object.values(ERROR_CODES).map(({ status }) => status),
]);
const JSON_TYPES = /^application\/(json|problem\+json)(; *charset=utf-8)?$/i;
/** The headers of a member's answer that are passed on. */
const ANSWER_HEADERS =
  /^(content-type|etag|location|allow|retry-after|www-authenticate|cache-control|x-content-type-options|x-request-id|idempotent-replayed|lockstep-(token|instance|home))$/;
/** Headers that belong to a connection rather than to the request (RFC 9110, 7.6.1), or are set again. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
]);

/** Headers that the home needs. They are sent on even if the caller names them in `Connection`. */
const OF_THE_REQUEST =
  /^(authorization|content-.*|if-.*|idempotency-key|lockstep-.*|x-request-id)$/;

/** HTTP/1.1 over connections that are kept open. Callers limit how many calls a member gets at a time. */
export function createHttpPeers({ timers }: Pick<Runtime, 'timers'>): Peers {
  const settings = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: MAX_IDLE_CONNECTIONS };
  const plain = new Agent(settings);
  const tls = new TlsAgent(settings);
  return {
    send: (url, call, timeoutMs, signal) =>
      new Promise((resolve) => {
        const base = new URL(url);
        const options: RequestOptions = {
          method: call.method,
          path: call.target,
          host: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port,
          headers: [...requestHeaders(base.host, call)],
        };
        const request =
          base.protocol === 'https:'
            ? requestHttps({ ...options, agent: tls })
            : requestHttp({ ...options, agent: plain });
        const exchange = new Exchange(request, timers, resolve);
        exchange.begin(call.body, timeoutMs, signal);
      }),
    close: () => {
      plain.destroy();
      tls.destroy();
    },
  };
}

/**
 * One request and its answer.
 * States: connecting -> sent -> answering -> over. If it ends while connecting, the result is `not-sent`, because Node
 * sends nothing before the connection is made. Invariant: it resolves once.
 */
class Exchange {
  readonly #request: ClientRequest;
  readonly #timers: Runtime['timers'];
  readonly #resolve: (result: PeerResult) => void;
  #isSent = false;
  #isOver = false;
  readonly #ends: (() => void)[] = [];

  constructor(
    request: ClientRequest,
    timers: Runtime['timers'],
    resolve: (result: PeerResult) => void,
  ) {
    this.#request = request;
    this.#timers = timers;
    this.#resolve = resolve;
  }

  begin(body: Buffer | null, timeoutMs: number, signal: AbortSignal): void {
    const request = this.#request;
    request.on('socket', (socket) => this.#connect(socket));
    request.on('response', (response) => this.#read(response));
    request.on('error', (error) => this.#fail(reasonOf(error)));
    request.on('close', () => this.#fail('the connection was closed'));
    const late = this.#timers.after(timeoutMs, () => this.#fail('no answer in time'));
    const gone = (): void => this.#fail('it is no longer a member');
    signal.addEventListener('abort', gone, { once: true });
    this.#ends.push(
      () => late.cancel(),
      () => signal.removeEventListener('abort', gone),
    );
    if (signal.aborted) gone();
    else request.end(body ?? undefined);
  }

  #connect(socket: Socket): void {
    if (!socket.connecting) {
      this.#isSent = true;
      return;
    }
    const late = this.#timers.after(CONNECT_MS, () => this.#fail('no connection in time'));
    this.#ends.push(() => late.cancel());
    socket.once('connect', () => {
      this.#isSent = true;
      late.cancel();
    });
  }

  #read(response: IncomingMessage): void {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_ANSWER_BYTES) this.#fail('the answer is too long');
    });
    response.on('end', () => {
      if (!response.complete) return this.#fail('the answer ended early');
      const bytes = Buffer.concat(chunks);
      if (!isAnswer(response, bytes)) return this.#fail('it answered what no coordinator answers');
      this.#settle({ kind: 'answered', answer: answerOf(response, bytes) });
    });
    response.on('error', (error) => this.#fail(reasonOf(error)));
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#settle({ kind: this.#isSent ? 'unanswered' : 'not-sent', reason });
    this.#request.destroy();
  }

  #settle(result: PeerResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const end of this.#ends) end();
    this.#resolve(result);
  }
}

function requestHeaders(host: string, { rawHeaders, extraHeaders, body }: PeerCall): string[] {
  const replaced = new Set(Object.keys(extraHeaders).map((name) => name.toLowerCase()));
  const passed = passedOn(rawHeaders).filter(([name]) => !replaced.has(name.toLowerCase()));
  const set = Object.entries({ Host: host, ...extraHeaders });
  if (body !== null) set.push(['Content-Length', String(body.length)]);
  return [...set, ...passed].flat();
}

function isAnswer({ statusCode = 0, headers }: IncomingMessage, bytes: Buffer): boolean {
  const isJson = JSON_TYPES.test(headers['content-type'] ?? '');
  return STATUSES.has(statusCode) && (isJson || bytes.length === 0);
}

function answerOf(response: IncomingMessage, bytes: Buffer): PeerAnswer {
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: passedOn(response.rawHeaders)
      .filter(([name]) => ANSWER_HEADERS.test(name.toLowerCase()))
      .flat(),
    bytes,
  };
}

/** The headers that belong to the message. */
function passedOn(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push([rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '']);
  }
  const named = pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((name) => name.trim().toLowerCase()));
  return pairs.filter(([name]) => {
    const lower = name.toLowerCase();
    if (OF_THE_CONNECTION.has(lower)) return false;
    return OF_THE_REQUEST.test(lower) || !named.includes(lower);
  });
}

const reasonOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : error.name;
