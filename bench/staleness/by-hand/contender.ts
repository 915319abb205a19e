import type { Contender, Reading, Servers, Written } from '../contender.ts';
import { ForkedService } from './forked-service.ts';
import type { ByHandName } from './protocol.ts';

export interface ByHandOptions {
  name: ByHandName;
  table: string;
  /** One for each process: what it connects to. */
  servers: readonly Servers[];
  /** Where the processes work. */
  folder: string;
}

/** Starts the service's processes. */
export async function openByHand(options: ByHandOptions): Promise<Contender> {
  const { name, table, servers, folder } = options;
  const processes = servers.map((own) => new ForkedService({ name, table, ...own }, folder));
  await Promise.all(processes.map((process) => process.start()));
  const at = (index: number): ForkedService => {
    const found = processes[index];
    if (found === undefined) throw new RangeError(`No process ${index}`);
    return found;
  };
  return {
    processes,
    read: (index, _caller, key) => at(index).call('read', key),
    write: async (index, _caller, key, value) => written(await at(index).call('write', key, value)),
    readThenWrite: async (index, _caller, key) =>
      written(await at(index).call('readThenWrite', key)),
    close: async () => {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}

/** Nothing in its answer says that the deletion may have failed. */
const written = ({ n }: Reading): Written => ({ n, inStep: true });
