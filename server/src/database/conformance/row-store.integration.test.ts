import { installedClients } from '@lockstep/testkit/servers';
import { describeRowChanges } from './row-changes.conformance.ts';
import { describeRowCrowds } from './row-crowds.conformance.ts';
import { describeRowEpochs } from './row-epochs.conformance.ts';
import { describeRowRaces } from './row-races.conformance.ts';
import { describeSecondDeletes } from './row-second-deletes.conformance.ts';
import { describeRowTags } from './row-tags.conformance.ts';
import { describeRowTransactions } from './row-transactions.conformance.ts';
import { describeRowVersions } from './row-versions.conformance.ts';
import { describeRowVerification } from './row-verification.conformance.ts';

for (const client of installedClients()) {
  describeRowChanges(client);
  describeRowVersions(client);
  describeRowRaces(client);
  describeRowCrowds(client);
  describeRowTransactions(client);
  describeRowVerification(client);
  describeSecondDeletes(client);
  describeRowEpochs(client);
  describeRowTags(client);
}
