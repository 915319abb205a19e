export type { CheckResult } from './check-result.ts';
export { checkServers, serverUrls } from './check-servers.ts';
export { ClusterRegistry } from './cluster-registry.ts';
export type { DatabaseCheck, DatabaseUnderCheck } from './database-under-check.ts';
export { databasePath, openForChecks, warningsOf } from './database-checks.ts';
export { type Grants, grantsFor } from './grants.ts';
export { migrationState, newerMigrationFault } from './migration-state.ts';
export { serversReady } from './servers-ready.ts';
export { needsSharedServers, SharedServers } from './shared-servers.ts';
