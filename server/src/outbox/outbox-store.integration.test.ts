import { installedClients } from '../testing/index.ts';
import { describeOutboxStore } from './outbox-store.conformance.ts';

for (const client of installedClients()) describeOutboxStore(client);
