import { installedClients } from '@lockstep/testkit/servers';
import { describeOutboxStore } from './outbox-store.conformance.ts';

for (const client of installedClients()) describeOutboxStore(client);
