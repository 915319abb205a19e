import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Servers } from '../servers.ts';
import type { FromNetwork, NetworkOptions, ToNetwork } from './links.program.ts';
import type { FaultCounts } from './plan.ts';

const PROGRAM = fileURLToPath(new URL('./links.program.ts', import.meta.url));

/**
 * The links with faults from each process of a contender to the cache, the database and the replica, if it reads one.
 * There are no faults on the way to the lock nodes, because the benchmark is about the cache.
 */
export class Network {
  /** The servers of each process, over its links. */
  readonly servers: readonly Servers[];
  /** The link from the callers themselves to the cache. */
  readonly readerCacheUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ports: readonly number[], real: Servers) {
    this.#child = child;
    const [readerPort, ...own] = ports;
    this.readerCacheUrl = withPort(real.cacheUrl, readerPort);
    const linked = linkedServers(real);
    this.servers = Array.from({ length: own.length / linked.length }, (_, process) => {
      const links = linked.map(([name, url], index): [string, string] => [
        name,
        withPort(url, own[process * linked.length + index]),
      ]);
      return { ...real, ...Object.fromEntries(links) };
    });
  }

  /** Opens the links for so many processes, in a separate process. They have no faults until `begin`. */
  static async open(real: Servers, processes: number, seed: number): Promise<Network> {
    const portOf = (url: string): number => Number(new URL(url).port);
    const own = linkedServers(real).map(([, url]) => portOf(url));
    const all = Array.from({ length: processes }, () => own).flat();
    const targetPorts = [portOf(real.cacheUrl), ...all];
    const options: NetworkOptions = { seed, targetPorts };
    const child = fork(PROGRAM, [JSON.stringify(options)]);
    const message = await nextMessage(child);
    if (!('ports' in message)) throw new Error('The network did not open');
    return new Network(child, message.ports, real);
  }

  begin(): void {
    this.#send('begin');
  }

  /** Ends the faults; the links stay. @returns how many of each kind there were */
  async heal(): Promise<FaultCounts> {
    const answer = nextMessage(this.#child);
    this.#send('heal');
    const message = await answer;
    if (!('healed' in message)) throw new Error('The network did not heal');
    return message.healed;
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #send(message: ToNetwork): void {
    this.#child.send(message);
  }
}

/** The servers that each process reaches over its own links. */
function linkedServers({ cacheUrl, databaseUrl, replicaUrl }: Servers): [keyof Servers, string][] {
  const always: [keyof Servers, string][] = [
    ['cacheUrl', cacheUrl],
    ['databaseUrl', databaseUrl],
  ];
  return replicaUrl === undefined ? always : [...always, ['replicaUrl', replicaUrl]];
}

async function nextMessage(child: ChildProcess): Promise<FromNetwork> {
  const exited = new AbortController();
  const onExit = (): void => exited.abort(new Error('The network’s process ended'));
  child.once('exit', onExit);
  try {
    const [message] = (await once(child, 'message', { signal: exited.signal })) as [FromNetwork];
    return message;
  } finally {
    child.off('exit', onExit);
  }
}

function withPort(url: string, port: number | undefined): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
