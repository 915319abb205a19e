import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import type { GuardStore } from '../guards/port.ts';
import type { LockNodes } from '../locks/lock-nodes.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { Replicas } from '../replicas/port.ts';
import type { ReplicaLag } from '../writes/index.ts';
import type { ReadAnswer } from '../reads/port.ts';
import type { SingleFlight } from '../reads/single-flight.ts';

/** The servers as the engine sees them. The simulation has its own implementations. */
export interface EnginePorts {
  entries: EntryStore;
  rows: RowStore;
  lockNodes: LockNodes;
  outbox: OutboxStore;
  guards: GuardStore;
  /** Absent if no replicas are configured. */
  replicas?: Replicas & ReplicaLag;
  /** How concurrent misses share a load. */
  singleFlight: Pick<SingleFlight<ReadAnswer>, 'join'>;
}
