import type { JsonValue } from '@lockstep/shared';
import type { Answer, HistoryEvent, HistoryHeader, Invocation, ResourceFacts } from './history.ts';

export interface RecorderParts {
  resources: Record<string, ResourceFacts>;
  /** One monotonic clock for the whole run, in ms. */
  nowMs: () => number;
  /** Takes each line, without its end; a file's stream, or an array's `push`. */
  write: (line: string) => void;
}

/**
 * Records a run as it happens. Call `invoke` just before a request is sent and `ok`, `fail` or `unknown` just after its
 * answer came; what is never completed stays open.
 */
export class HistoryRecorder {
  readonly #parts: RecorderParts;
  #lastId = 0;
  #lastClient = 0;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const header: HistoryHeader = { lockstepHistory: 1, resources: parts.resources };
    parts.write(JSON.stringify(header));
  }

  /** Operations invoked so far. */
  get operations(): number {
    return this.#lastId;
  }

  /** A client number that was not used before: one for each caller, and a new one after each unknown outcome. */
  newClient(): number {
    return ++this.#lastClient;
  }

  /** What a key held before the run. */
  initial(key: string, value: JsonValue, version: number): void {
    this.#write({ e: 'initial', key, value, version });
  }

  /** The operation's id, for its completion. */
  invoke(invocation: Invocation): number {
    const id = ++this.#lastId;
    this.#write({ e: 'invoke', id, ...invocation, atMs: this.#nowMs() });
    return id;
  }

  ok(id: number, answer: Answer): void {
    this.#write({ e: 'ok', id, ...answer, atMs: this.#nowMs() });
  }

  /** It did not happen and never will. */
  fail(id: number, code: string): void {
    this.#write({ e: 'fail', id, code, atMs: this.#nowMs() });
  }

  /** It may have happened, or may still. */
  unknown(id: number, code: string): void {
    this.#write({ e: 'unknown', id, code, atMs: this.#nowMs() });
  }

  #nowMs(): number {
    return Math.round(this.#parts.nowMs() * 1000) / 1000;
  }

  #write(event: HistoryEvent): void {
    this.#parts.write(JSON.stringify(event));
  }
}
