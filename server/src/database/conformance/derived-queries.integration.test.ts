import { installedClients } from '../../testing/index.ts';
import { describeDerivedQueries } from './derived-queries.conformance.ts';

for (const client of installedClients()) describeDerivedQueries(client);
