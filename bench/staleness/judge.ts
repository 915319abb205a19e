/**
 * Judges reads as they are answered.
 *
 * Every write of a key makes its row's count `n` one higher. A read is
 *   stale       where it answered a lower count than some write had been acknowledged with before the read was sent
 *   unexcused   where it is stale, and that write's answer did not say that the cache may still hold an older value
 *   backward    where it is not stale, but answered a lower count than some read had answered before it was sent
 * All moments are of this process's one clock: an acknowledgement counts from when it arrived here, and a read from
 * when it left, so what a network adds can hide a stale read and never make one up.
 */
import type { Written } from './contender.ts';

/** What a read may not be below: the highest counts known of its key when it was sent. */
export interface Sent {
  atMs: number;
  acknowledged: number;
  /** Of the acknowledgements that promised a cache in step. */
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
  /** When each count of a key was acknowledged, in ms; 0 where it never was. */
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

  /** A read is being sent; give what this says to `onRead` when it is answered. */
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

  /** Of each stale read: for how many ms a newer count had been acknowledged when it was sent. Ascending. */
  staleAgesMs(): Float64Array {
    return Float64Array.from(this.#staleAgesMs).sort();
  }

  #outdatedForMs(key: number, n: number, atMs: number): number {
    const times = this.#acknowledgedAtMs[key] ?? [];
    // Almost always the very next count; one that was never acknowledged, or later than its successor, is passed over.
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
