import { type Dispatcher, Pool } from 'undici';

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: string;
  headers?: Readonly<Record<string, string>>;
  /** Bound on the answer; what comes later is thrown away with its connection. */
  timeoutMs: number;
}

export interface Reply {
  status: number;
  text: string;
  /** Absent where the answer says none. */
  retryAfterMs?: number;
}

/** No answer came. `sent`: the request may have arrived. */
export class NoAnswer extends Error {
  readonly sent: boolean;

  constructor(sent: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'NoAnswer';
    this.sent = sent;
  }
}

/** Idle connections are closed before the coordinator closes them, which a request could cross. */
const KEEP_ALIVE_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Requests to the coordinator over kept-alive connections. It repeats nothing by itself. */
export class Transport {
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws TypeError where the URL is none */
  constructor(url: string, token: string | undefined, connections: number) {
    const { origin, pathname } = new URL(url);
    this.#prefix = pathname.replace(/\/+$/, '');
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  /** @throws NoAnswer */
  request({ method, path, body, headers, timeoutMs }: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const handler = new Handler(resolve, reject, timeoutMs);
      const all = { ...this.#headers, ...headers };
      if (body !== undefined) all['content-type'] = 'application/json';
      try {
        const options = { method, path: this.#prefix + path, headers: all, body: body ?? null };
        this.#pool.dispatch(options, handler);
      } catch (error) {
        handler.onResponseError(null, error);
      }
    });
  }

  /** Cuts what is in flight. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** Collects one answer. Undici calls `onRequestStart` just before it writes the request to a connection. */
class Handler implements Dispatcher.DispatchHandler {
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: NoAnswer) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #retryAfterMs: number | undefined;
  #isOver = false;

  constructor(
    resolve: (reply: Reply) => void,
    reject: (error: NoAnswer) => void,
    timeoutMs: number,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#timedOut(), Math.max(0, timeoutMs));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('It was given up.'));
  }

  onResponseStart(
    _controller: unknown,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    const seconds = Number(headers['retry-after']);
    if (seconds > 0) this.#retryAfterMs = seconds * 1_000;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [only, ...more] = this.#chunks;
    const bytes = more.length === 0 && only !== undefined ? only : Buffer.concat(this.#chunks);
    const reply: Reply = { status: this.#status, text: bytes.toString('utf8') };
    if (this.#retryAfterMs !== undefined) reply.retryAfterMs = this.#retryAfterMs;
    this.#resolve(reply);
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#end()) this.#reject(new NoAnswer(this.#controller !== null, error));
  }

  #timedOut(): void {
    if (!this.#end()) return;
    const error = new Error('No answer came in time.');
    this.#controller?.abort(error);
    this.#reject(new NoAnswer(this.#controller !== null, error));
  }

  /** False if it was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    return true;
  }
}
