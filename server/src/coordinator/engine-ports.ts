import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import type { LockNodes } from '../locks/lock-nodes.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { Replicas } from '../replicas/port.ts';
import type { ReplicaLag } from '../writes/index.ts';
import type { ReadAnswer } from '../reads/port.ts';
import type { SingleFlight } from '../reads/single-flight.ts';

/** What the engine stands on: the servers as it sees them. A simulation puts others here. */
export interface EnginePorts {
  entries: EntryStore;
  /** As writers see the rows. */
  rows: RowStore;
  /** As readers, recovery and audits see them; the same store. */
  recoveryRows: RowStore;
  lockNodes: LockNodes;
  outbox: OutboxStore;
  /** Where the configuration names replicas. */
  replicas?: Replicas & ReplicaLag;
  /** How concurrent misses share a load. */
  singleFlight: Pick<SingleFlight<ReadAnswer>, 'join'>;
}
