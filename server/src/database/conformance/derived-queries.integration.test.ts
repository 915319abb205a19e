import { installedClients } from '@lockstep/testkit/servers';
import { describeDerivedQueries } from './derived-queries.conformance.ts';

for (const client of installedClients()) describeDerivedQueries(client);
