import type { IncomingMessage, ServerResponse } from 'node:http';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import type { RequestHandler } from 'express';
import { LockstepError } from '../domain/index.ts';
import { Access, type Needs } from '../identities/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { type Answer, pass, type PassedAnswer, send } from './answer.ts';
import type { Authenticator } from './authentication.ts';
import { methodNotAllowed, problemAnswer } from './problems.ts';

/** What an endpoint is called with, beside the request. */
export interface Call {
  requestId: string;
  /** What the caller may do; of keys and resources the handlers ask it. */
  access: Access;
  /** Whose calls share bounds: the identity that the token gives, at one address. */
  caller: string;
  /** Headers of every answer to this call, also of a problem. An endpoint may replace them. */
  stamp: Readonly<Record<string, string>>;
}

const NO_STAMP = {};
const NOTHING = new Access(null, []);
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
/** Failed authentications of one address in a minute, beyond which the answer is 429 instead of 401. */
const FAILURES_PER_MINUTE = 300;
const MINUTE_MS = 60_000;

/** The frame of every call of the API: request id, authentication, the answer or its problem document. */
export class EndpointFrame {
  readonly #auth: Authenticator;
  readonly #runtime: Runtime;
  readonly #limitFailures: RequestHandler;
  /** A request id is this process's id and a count: it must be unique and cheap, and need not be hard to guess. */
  readonly #idPrefix: string;
  #calls = 0;

  constructor(auth: Authenticator, runtime: Runtime) {
    this.#auth = auth;
    this.#runtime = runtime;
    this.#idPrefix = runtime.ids.next();
    this.#limitFailures = rateLimit({
      windowMs: MINUTE_MS,
      limit: FAILURES_PER_MINUTE,
      standardHeaders: false,
      legacyHeaders: false,
      validate: false,
      keyGenerator: (request) => ipKeyGenerator(request.socket.remoteAddress ?? ''),
      handler: (request, response) =>
        this.fail(
          request,
          response,
          new LockstepError('RATE_LIMITED', 'Too many failed authentications.', {
            retryAfterMs: MINUTE_MS,
          }),
        ),
    });
  }

  /** The caller's request id if it is well-formed, else a new one. */
  requestId(request: IncomingMessage): string {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && REQUEST_ID.test(given) ? given : this.#nextId();
  }

  #nextId(): string {
    this.#calls += 1;
    return `${this.#idPrefix}-${this.#calls.toString(36)}`;
  }

  methodNotAllowed(allow: string, requestId: string): Answer {
    return methodNotAllowed(allow, requestId, this.#runtime.log);
  }

  /** A failed operation among others that are answered together. */
  problem(cause: unknown, requestId: string): Answer {
    return problemAnswer(cause, requestId, this.#runtime.log);
  }

  /** Answers with a problem document. */
  fail(
    request: IncomingMessage,
    response: ServerResponse,
    cause: unknown,
    requestId?: string,
    stamp?: Call['stamp'],
  ): void {
    const id = requestId ?? this.requestId(request);
    const answer = problemAnswer(cause, id, this.#runtime.log);
    if (response.headersSent) response.destroy();
    else send(request, response, id, answer, stamp);
  }

  /**
   * Runs an endpoint for callers who may reach it. It never rejects. A write that was let in is carried out even if its
   * caller goes away.
   */
  async serve<Request extends IncomingMessage>(
    request: Request,
    response: ServerResponse,
    needs: Needs,
    endpoint: (
      request: Request,
      call: Call,
    ) => Answer | PassedAnswer | Promise<Answer | PassedAnswer>,
  ): Promise<void> {
    const requestId = this.requestId(request);
    const call: Call = { requestId, access: NOTHING, caller: '', stamp: NO_STAMP };
    try {
      const found = this.#auth.authenticate(request);
      const { access, name } = found instanceof Promise ? await found : found;
      access.assertReaches(needs);
      call.access = access;
      call.caller = name;
      const answer = await endpoint(request, call);
      if ('bytes' in answer) pass(request, response, answer);
      else send(request, response, requestId, answer, call.stamp);
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'UNAUTHENTICATED') {
        this.#failAuthentication(request, response, error, requestId);
      } else {
        this.fail(request, response, error, requestId, call.stamp);
      }
    }
  }

  /** The same for a call that is open to everyone. */
  async serveOpen(
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: (call: Call) => Answer | PassedAnswer | Promise<Answer | PassedAnswer>,
  ): Promise<void> {
    const requestId = this.requestId(request);
    try {
      const answer = await endpoint({ requestId, access: NOTHING, caller: '', stamp: NO_STAMP });
      if ('bytes' in answer) pass(request, response, answer);
      else send(request, response, requestId, answer);
    } catch (error) {
      this.fail(request, response, error, requestId);
    }
  }

  #failAuthentication(
    request: IncomingMessage,
    response: ServerResponse,
    error: LockstepError,
    requestId: string,
  ): void {
    const answer = (cause?: unknown): void =>
      this.fail(request, response, cause ?? error, requestId);
    void this.#limitFailures(request as never, response as never, answer);
  }
}
