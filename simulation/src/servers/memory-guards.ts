import type { GuardCall, StoredGuard } from '../../../server/src/guards/port.ts';
import type { Key } from '../../../server/src/domain/index.ts';

interface Guarded extends StoredGuard {
  version: number | null;
}

/** The table of guards in memory. */
export class MemoryGuards {
  readonly #guarded = new Map<string, Guarded>();

  add(keys: readonly StoredGuard[]): void {
    for (const each of keys) this.#guarded.set(nameOf(each), { ...each, version: null });
  }

  calls(guard: string): GuardCall[] {
    return [...this.#guarded.values()]
      .filter((each) => each.guard === guard)
      .map(({ key, fence, version }) => ({
        ...{ resource: key.resource.name, keyText: key.text, fence, version },
      }));
  }

  remove(keys: readonly { key: Key; fence: number }[]): void {
    for (const each of keys) this.#guarded.delete(nameOf(each));
  }

  /** Whether `lockstep_guard` admits the fence, as far as this table says. */
  admits(key: Key, fence: number): boolean {
    return this.#guarded.get(nameOf({ key, fence }))?.version === null;
  }

  /** A transaction that called `lockstep_guard` commits. */
  committed(key: Key, fence: number, version: number): void {
    const guarded = this.#guarded.get(nameOf({ key, fence }));
    if (guarded !== undefined) guarded.version = version;
  }
}

const nameOf = ({ key, fence }: { key: Key; fence: number }): string =>
  `${fence} ${key.resource.name} ${key.text}`;
