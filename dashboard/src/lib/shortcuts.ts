/** Keyboard shortcuts: what each key does, and which presses are for the page rather than for a field. */

/** A page as the shortcuts know it. */
interface PageShortcut {
  /** The key after `g`. */
  letter: string;
  path: string;
}

export type Command =
  { do: 'go'; path: string } | { do: 'search' } | { do: 'pause' } | { do: 'help' };

/** The second key of a pair must follow within this time. */
const PAIR_MS = 1_500;

/** A key press: the character, and its time on a monotonic clock. */
export interface Press {
  key: string;
  atMs: number;
}

/** Turns key presses into commands. Remembers a `g` until its letter comes. */
export function createShortcuts(pages: readonly PageShortcut[]): (press: Press) => Command | null {
  let leaderAtMs: number | null = null;
  return ({ key, atMs }) => {
    const paired = leaderAtMs !== null && atMs - leaderAtMs <= PAIR_MS;
    leaderAtMs = null;
    if (paired) {
      const page = pages.find(({ letter }) => letter === key);
      if (page !== undefined) return { do: 'go', path: page.path };
    }
    switch (key) {
      case 'g':
        leaderAtMs = atMs;
        return null;
      case '/':
        return { do: 'search' };
      case 'p':
        return { do: 'pause' };
      case '?':
        return { do: 'help' };
      default:
        return null;
    }
  };
}
