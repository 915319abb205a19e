import type { FaultResource } from '../cluster/tables.ts';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { CacheReader, Endpoint } from './endpoint.ts';
import type { Ledger } from './ledger.ts';
import type { Mix } from './mix.ts';
import type { OwnTransactions } from './own-transactions.ts';
import type { Service } from './service.ts';

export interface LoadOptions {
  ledger: Ledger;
  endpoints: readonly Endpoint[];
  cache: CacheReader;
  /** Services that use the client. */
  services: readonly Service[];
  /** The database of services that keep transactions of their own. */
  transactions: OwnTransactions;
  random: SeededRandom;
  /** Keys of this run are `firstId` and above; no other run has them. */
  firstId: number;
  callers: number;
  /** Of all callers together; as many as the deployment can where it cannot that many. */
  operationsPerSecond: number;
  /** How often each thing is done. */
  mix: Mix;
  /** Share of the operations that go to hot keys. */
  hotShare: number;
  /** Of each resource, at most MAX_HOT_KEYS. */
  hotKeys: number;
  /** All but `fillAndWrite` go to these. */
  resources: readonly FaultResource[];
}
