/** Calls of one coordinator over kept-alive connections, one for each caller. */
import { Client, type Dispatcher } from 'undici';
import { FailedCall } from '../contender.ts';

/** What the benchmark needs of an answer. */
export interface Answer {
  status: number;
  body: {
    version?: number;
    value?: { n: number | string; counter: number | string };
    source?: string;
    cache?: string;
    code?: string;
  };
}

/** Longer than any fault of a run lasts. */
const ANSWER_TIMEOUT_MS = 15_000;

export class HttpClient {
  readonly #url: string;
  readonly #headers: string[];
  readonly #connections: Client[] = [];

  constructor(url: string, token: string) {
    this.#url = url;
    this.#headers = ['authorization', `Bearer ${token}`, 'content-type', 'application/json'];
  }

  /** @throws FailedCall if no answer came */
  call(
    caller: number,
    method: 'GET' | 'PATCH',
    path: string,
    body: string | null = null,
    ifMatch: number | null = null,
  ): Promise<Answer> {
    const headers =
      ifMatch === null ? this.#headers : [...this.#headers, 'if-match', `"${ifMatch}"`];
    return new Promise((resolve, reject) => {
      this.#connection(caller).dispatch(
        { method, path, headers, body },
        new AnswerReader(resolve, reject),
      );
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.destroy()));
  }

  #connection(caller: number): Client {
    return (this.#connections[caller] ??= new Client(this.#url, {
      pipelining: 1,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
    }));
  }
}

/** Reads one answer at undici's lowest level, because the client runs on the same cores as what it measures. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  #status = 0;
  #text = '';

  constructor(resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {
    // nothing to do before the answer, but undici distinguishes old and new handlers by this method
  }

  onResponseStart(_controller: unknown, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#text += chunk.toString();
  }

  onResponseEnd(): void {
    try {
      this.#resolve({ status: this.#status, body: JSON.parse(this.#text) as Answer['body'] });
    } catch (cause) {
      this.#reject(new FailedCall('UNREADABLE', this.#text.slice(0, 200), { cause }));
    }
  }

  onResponseError(_controller: unknown, error: Error): void {
    const isLate = 'code' in error && error.code === 'UND_ERR_HEADERS_TIMEOUT';
    this.#reject(new FailedCall(isLate ? 'TIMEOUT' : 'UNREACHABLE', error.message));
  }
}
