/**
 * Judges reads as they are answered.
 *
 * Every write of a key adds one to its row's count `n`. A read is
 *   stale       if its count is lower than that of a write that was acknowledged before the read was sent
 *   unexcused   if it is stale, and that write's answer did not say that the cache may still hold an older value
 *   backward    if it is not stale, but its count is lower than that of a read that was answered before it was sent
 * All times are of this process's clock: an acknowledgement counts when it arrives here, and a read when it is sent. So
 * delays of the network can hide a stale read, but never make one up.
 */
import type { Written } from './contender.ts';

/** The counts that a read must reach: the highest ones known for its key when it was sent. */
export interface Sent {
  atMs: number;
  acknowledged: number;
  /** The highest count of acknowledgements that promised a cache in step. */
  inStep: number;
  answered: number;
}

/** A read that was stale or backward, as evidence. */
export interface Finding extends Sent {
  key: number;
  n: number;
}
const MAX_FINDINGS = 5;

export class Judge {
  /** The first few stale or backward reads. */
  readonly findings: Finding[] = [];

  readonly #acknowledged: Int32Array;
  readonly #inStep: Int32Array;
  readonly #answered: Int32Array;
  /** When each count of a key was acknowledged, in ms; 0 if it never was. */
  readonly #acknowledgedAtMs: number[][];
  readonly #staleAgesMs: number[] = [];
  #unexcusedReads = 0;
  #backwardReads = 0;

  /** Keys are 1 to `keys`. */
  constructor(keys: number) {
    this.#acknowledged = new Int32Array(keys + 1);
    this.#inStep = new Int32Array(keys + 1);
    this.#answered = new Int32Array(keys + 1);
    this.#acknowledgedAtMs = Array.from({ length: keys + 1 }, () => []);
  }

  /** A write was acknowledged. @param nowMs above 0 */
  onWrite(key: number, { n, inStep }: Written, nowMs: number): void {
    const times = this.#acknowledgedAtMs[key];
    if (times === undefined) throw new RangeError(`No key ${key}`);
    while (times.length < n) times.push(0);
    times[n] = nowMs;
    raise(this.#acknowledged, key, n);
    if (inStep) raise(this.#inStep, key, n);
  }

  /** A read is being sent. The result must be given to `onRead` when the read is answered. */
  send(key: number, atMs: number): Sent {
    const of = (counts: Int32Array): number => counts[key] ?? 0;
    return {
      atMs,
      acknowledged: of(this.#acknowledged),
      inStep: of(this.#inStep),
      answered: of(this.#answered),
    };
  }

  /** That read was answered with this count. */
  onRead(key: number, n: number, sent: Sent): void {
    if (n < sent.acknowledged) this.#staleAgesMs.push(this.#outdatedForMs(key, n, sent.atMs));
    else if (n < sent.answered) this.#backwardReads++;
    if (n < sent.inStep) this.#unexcusedReads++;
    if (n < Math.max(sent.acknowledged, sent.answered) && this.findings.length < MAX_FINDINGS)
      this.findings.push({ key, n, ...sent });
    raise(this.#answered, key, n);
  }

  get staleReads(): number {
    return this.#staleAgesMs.length;
  }

  get unexcusedReads(): number {
    return this.#unexcusedReads;
  }

  get backwardReads(): number {
    return this.#backwardReads;
  }

  /** For each stale read, how long a newer count had been acknowledged when it was sent, in ms. Ascending. */
  staleAgesMs(): Float64Array {
    return Float64Array.from(this.#staleAgesMs).sort();
  }

  #outdatedForMs(key: number, n: number, atMs: number): number {
    const times = this.#acknowledgedAtMs[key] ?? [];
    // Almost always the next count. One that was never acknowledged, or later than its successor, is skipped.
    for (let newer = n + 1; newer < times.length; newer++) {
      const sinceMs = times[newer] ?? 0;
      if (sinceMs > 0 && sinceMs <= atMs) return atMs - sinceMs;
    }
    throw new Error(`Key ${key}: nothing newer than ${n} was acknowledged`);
  }
}

function raise(counts: Int32Array, key: number, n: number): void {
  if (n > (counts[key] ?? 0)) counts[key] = n;
}
