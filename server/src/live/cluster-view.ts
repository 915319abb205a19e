/**
 * What this instance knows of the others: the last snapshot of each.
 *
 * States of another instance: `present` (heard of within 5 s), `missing` (not heard of, still shown as down for a
 * minute), forgotten. One that says goodbye is forgotten at once.
 * Invariants: at most MAX_INSTANCES others; the totals of an instance that is gone stay in the sum until its place is
 * needed, so that sums don't fall.
 */
import type { NodeStatus } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import type { Totals } from '../metrics/index.ts';
import type { InstanceSnapshot } from './instance-snapshot.ts';

const PRESENT_MS = 5_000;
const MISSING_MS = 60_000;
const MAX_INSTANCES = 64;

interface Known {
  snapshot: InstanceSnapshot;
  heardAtMs: number;
  saidGoodbye: boolean;
}

export class ClusterView {
  readonly #clock: Runtime['clock'];
  readonly #known = new Map<string, Known>();

  constructor(clock: Runtime['clock']) {
    this.#clock = clock;
  }

  hear(snapshot: InstanceSnapshot): void {
    const { instance } = snapshot;
    const before = this.#known.get(instance);
    this.#known.delete(instance);
    if (this.#known.size >= MAX_INSTANCES) this.#forgetOldest();
    // A snapshot without details does not replace those of a moment ago.
    const details = snapshot.details ?? before?.snapshot.details ?? null;
    this.#known.set(instance, {
      snapshot: { ...snapshot, details },
      heardAtMs: this.#clock.nowMs(),
      saidGoodbye: false,
    });
  }

  goodbye(instance: string): void {
    const known = this.#known.get(instance);
    if (known !== undefined) known.saidGoodbye = true;
  }

  /** The last snapshots of the instances that are there now. */
  present(): InstanceSnapshot[] {
    return this.#where((known) => !known.saidGoodbye && this.#silenceMs(known) < PRESENT_MS);
  }

  /** Instances that stopped sending without a goodbye, as nodes. */
  missing(): NodeStatus[] {
    const gone = this.#where(
      (known) =>
        !known.saidGoodbye &&
        this.#silenceMs(known) >= PRESENT_MS &&
        this.#silenceMs(known) < MISSING_MS,
    );
    return gone.map(({ instance, atMs }) => ({
      name: instance,
      kind: 'coordinator',
      status: 'down',
      rttMs: null,
      sinceMs: atMs,
      detail: 'not heard from; another coordinator resolves what it left behind',
    }));
  }

  /** Whether anybody watches through another instance. */
  get isWatched(): boolean {
    return this.present().some(({ viewers }) => viewers > 0);
  }

  /** Totals since start of every other instance that is remembered. */
  totals(): Totals[] {
    return this.#where(() => true).map(({ totals }) => totals);
  }

  #where(test: (known: Known) => boolean): InstanceSnapshot[] {
    return [...this.#known.values()].filter(test).map(({ snapshot }) => snapshot);
  }

  #silenceMs(known: Known): number {
    return this.#clock.nowMs() - known.heardAtMs;
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (oldest.done !== true) this.#known.delete(oldest.value);
  }
}
