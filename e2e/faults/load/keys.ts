/** The keys of a load: a few hot ones, a spread, and cold ones that are hardly written twice. */
import type { FaultResource } from '../cluster/tables.ts';

export const MAX_HOT_KEYS = 10;
export const SPREAD_KEYS = 300;
/** Of `fillAndWrite`: hardly any is written twice. */
export const COLD_KEYS = 3_000;

/** How many numbers a run takes for its keys. */
export const KEYS_OF_A_RUN = MAX_HOT_KEYS + SPREAD_KEYS + COLD_KEYS;

export interface KeyOf {
  resource: FaultResource;
  id: number;
}
