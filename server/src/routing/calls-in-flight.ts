/** The calls in flight to each member: bounded in number, and aborted when their member is gone. */
export class CallsInFlight {
  readonly #max: number;
  readonly #calls = new Map<string, Set<AbortController>>();

  /** @param max calls to one member at a time */
  constructor(max: number) {
    this.#max = max;
  }

  hasRoom(instance: string): boolean {
    return (this.#calls.get(instance)?.size ?? 0) < this.#max;
  }

  /** Returns null if there is no room. */
  begin(instance: string): { signal: AbortSignal; end: () => void } | null {
    if (!this.hasRoom(instance)) return null;
    const calls = this.#calls.get(instance) ?? new Set();
    this.#calls.set(instance, calls);
    const call = new AbortController();
    calls.add(call);
    const end = (): void => {
      calls.delete(call);
      if (calls.size === 0 && this.#calls.get(instance) === calls) this.#calls.delete(instance);
    };
    return { signal: call.signal, end };
  }

  /** Aborts the calls to all other members. */
  keepOnly(instances: ReadonlySet<string>): void {
    for (const [instance, calls] of this.#calls) {
      if (instances.has(instance)) continue;
      for (const call of calls) call.abort();
    }
  }
}
