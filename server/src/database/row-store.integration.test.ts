import { installedClients } from '../testing/index.ts';
import { describeRowStore } from './row-store.conformance.ts';

for (const client of installedClients()) describeRowStore(client);
