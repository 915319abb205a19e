import type { Gate } from './gate.ts';
import type { AnyResult } from './reads.ts';

/** The result of one or many reads. It is given once. */
abstract class ReadResults {
  readonly #gate: Gate;
  readonly #reject: (error: unknown) => void;
  #isOver = false;

  constructor(gate: Gate, reject: (error: unknown) => void) {
    this.#gate = gate;
    this.#reject = reject;
  }

  /** Wrong arguments throw. */
  startWith(start: () => void): void {
    try {
      start();
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error: unknown): void {
    if (this.end()) this.#reject(error);
  }

  protected end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#gate.leave();
    return true;
  }
}

export class OneRead extends ReadResults {
  readonly #resolve: (result: AnyResult) => void;

  constructor(gate: Gate, resolve: (result: AnyResult) => void, reject: (error: unknown) => void) {
    super(gate, reject);
    this.#resolve = resolve;
  }

  read(result: AnyResult): void {
    if (this.end()) this.#resolve(result);
  }
}

export class ManyReads extends ReadResults {
  readonly #results: AnyResult[];
  readonly #resolve: (results: AnyResult[]) => void;
  #missing: number;

  constructor(
    gate: Gate,
    count: number,
    resolve: (results: AnyResult[]) => void,
    reject: (error: unknown) => void,
  ) {
    super(gate, reject);
    this.#results = new Array<AnyResult>(count).fill(null);
    this.#resolve = resolve;
    this.#missing = count;
    if (count === 0 && this.end()) resolve([]);
  }

  read(result: AnyResult, index: number): void {
    this.#results[index] = result;
    this.#missing -= 1;
    if (this.#missing === 0 && this.end()) this.#resolve(this.#results);
  }
}
