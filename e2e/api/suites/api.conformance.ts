import type { TestBed } from '../../support/shared-instance.ts';
import { describeAudits } from './audits.conformance.ts';
import { describeBatch } from './batch.conformance.ts';
import { describeInserts } from './inserts.conformance.ts';
import { describeKeys } from './keys.conformance.ts';
import { describeLeases } from './leases.conformance.ts';
import { describePreconditions } from './preconditions.conformance.ts';
import { describeReads } from './reads.conformance.ts';
import { describeRefusals } from './refusals.conformance.ts';
import { describeTransactions } from './transactions.conformance.ts';
import { describeValues } from './values.conformance.ts';
import { describeWrites } from './writes.conformance.ts';

/** Everything that the API promises whatever servers it stands on. */
export function describeApi(bed: TestBed): void {
  describeWrites(bed);
  describeInserts(bed);
  describePreconditions(bed);
  describeKeys(bed);
  describeValues(bed);
  describeReads(bed);
  describeRefusals(bed);
  describeBatch(bed);
  describeTransactions(bed);
  describeLeases(bed);
  describeAudits(bed);
}
