import type { Contender, Reading, Written } from '../contender.ts';
import type { Servers } from '../servers.ts';
import { ForkedService } from './forked-service.ts';
import type { ByHandName } from './protocol.ts';

export interface ByHandOptions {
  name: ByHandName;
  table: string;
  /** What each process connects to. */
  servers: readonly Servers[];
  /** Where the processes work. */
  folder: string;
}

/** Starts the service's processes. */
export async function openByHand(options: ByHandOptions): Promise<Contender> {
  const { name, table, servers, folder } = options;
  const processes = servers.map(
    (own, index) => new ForkedService({ name, table, index, ...own }, folder),
  );
  await Promise.all(processes.map((process) => process.start()));
  const at = (index: number): ForkedService => {
    const found = processes[index];
    if (found === undefined) throw new RangeError(`No process ${index}`);
    return found;
  };
  const home = name === 'routing-by-key' ? homeAmong(processes) : (asked: number) => asked;
  return {
    processes,
    read: (index, _caller, key) => at(home(index, key)).call('read', key),
    write: async (index, _caller, key, value) =>
      written(await at(home(index, key)).call('write', key, value)),
    readThenWrite: async (index, _caller, key) =>
      written(await at(home(index, key)).call('readThenWrite', key)),
    close: async () => {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}

/** The process that serves a key: its own, or while that is down the next one, which is then the key's home. */
function homeAmong(processes: readonly ForkedService[]) {
  return (asked: number, key: number): number => {
    const own = processes.map((_, offset) => (key + offset) % processes.length);
    return own.find((index) => processes[index]?.isUp === true) ?? asked;
  };
}

/** An answer never says that the deletion may have failed. */
const written = ({ n }: Reading): Written => ({ n, inStep: true });
