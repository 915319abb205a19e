import { readdirSync, statSync, writeFileSync } from 'node:fs';

/** Where Debian, Fedora and Alpine put libfaketime. */
const PLACES = ['/usr/lib64/faketime', '/usr/lib/faketime', '/usr/local/lib/faketime'];
const LIBRARY = 'libfaketime.so.1';

/** The library that gives a process a wall clock of its own; null where it is not installed. */
export function findFakeTime(): string | null {
  const multiArch = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.includes('-linux-'))
    .map(({ name }) => `/usr/lib/${name}/faketime`);
  const found = [...multiArch, ...PLACES].map((folder) => `${folder}/${LIBRARY}`);
  return found.find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined) ?? null;
}

/** The wall clock of one process, set apart from everybody else's. Its monotonic clock stays true. */
export class WallClock {
  readonly #library: string;
  readonly #file: string;

  /** @param file where the offset stands; the process reads it about once a second */
  constructor(library: string, file: string) {
    this.#library = library;
    this.#file = file;
    this.set(0);
  }

  /** What the process must be started with. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
    };
  }

  /** @param offsetSeconds whole seconds before (negative) or after the true time */
  set(offsetSeconds: number): void {
    writeFileSync(this.#file, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`);
  }
}
