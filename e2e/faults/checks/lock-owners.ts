/**
 * Watches the lock nodes' own record of commands (MONITOR): a lock may be removed only by the process that took it.
 * Safety does not depend on that but on fences, so no answer would show it.
 *
 * For each node and lock: free -> taken (by a connection, with a token, until it expires) -> free. A script's inner
 * commands come right after the call that runs it, which shows whose they are.
 */
import type { Cluster } from '../cluster/cluster.ts';
import { followCommands, type RecordedCommand } from './command-record.ts';

const LOCK_PREFIX = 'lockstep:lock:';
const MAX_FOUND = 20;

interface Holding {
  /** Index of the coordinator. */
  by: number;
  untilSeconds: number;
}

export class LockOwners {
  readonly found: string[] = [];
  readonly #watching = new AbortController();
  readonly #callersByPort: ReadonlyMap<number, number>;

  private constructor(cluster: Cluster) {
    this.#callersByPort = cluster.callersByPort;
  }

  /** Watches until `stop`. */
  static async watch(cluster: Cluster): Promise<LockOwners> {
    const owners = new LockOwners(cluster);
    const { signal } = owners.#watching;
    await Promise.all(
      cluster.behind.lockNodes.map((node, index) =>
        followCommands(node, signal, owners.#followerOf(`lock ${index + 1}`)),
      ),
    );
    return owners;
  }

  stop(): void {
    this.#watching.abort();
  }

  #followerOf(node: string): (command: RecordedCommand) => void {
    const holdings = new Map<string, Holding>();
    let scriptOf: number | undefined;
    return ({ atSeconds, words, source }) => {
      const [command = '', key = ''] = words;
      const isInner = source === 'lua';
      if (!isInner) scriptOf = this.#callersByPort.get(Number(source.split(':').at(-1)));
      if (!key.startsWith(LOCK_PREFIX)) return;
      const by = scriptOf;
      switch (command.toLowerCase()) {
        case 'set':
          if (by !== undefined)
            holdings.set(key, { by, untilSeconds: atSeconds + Number(words[4] ?? 0) / 1000 });
          return;
        case 'unlink': // the faults take locks away by this one
          for (const each of words.slice(1)) holdings.delete(each);
          return;
        case 'del':
          this.#removed(node, key, { by, atSeconds }, holdings);
          return;
      }
    };
  }

  #removed(
    node: string,
    key: string,
    { by, atSeconds }: { by: number | undefined; atSeconds: number },
    holdings: Map<string, Holding>,
  ): void {
    const holding = holdings.get(key);
    holdings.delete(key);
    if (holding === undefined || by === undefined || holding.by === by) return;
    if (holding.untilSeconds <= atSeconds || this.found.length >= MAX_FOUND) return;
    const leftMs = Math.round((holding.untilSeconds - atSeconds) * 1000);
    this.found.push(
      `${node}: coordinator ${by + 1} removed ${key}, which coordinator ${holding.by + 1} holds for ${leftMs} ms more`,
    );
  }
}
