/**
 * Lockstep's own tables as plain SQL, for each kind of database, up and down. The order of this list is the order of
 * application; what is released is never changed, only added to.
 */
import mysqlAuditsDown from './mysql/0002_audits.down.sql?raw';
import mysqlAuditsUp from './mysql/0002_audits.up.sql?raw';
import mysqlChangelogDown from './mysql/0003_changelog.down.sql?raw';
import mysqlChangelogUp from './mysql/0003_changelog.up.sql?raw';
import mysqlClusterDown from './mysql/0011_cluster.down.sql?raw';
import mysqlClusterUp from './mysql/0011_cluster.up.sql?raw';
import mysqlLockstepDown from './mysql/0001_lockstep.down.sql?raw';
import mysqlLockstepUp from './mysql/0001_lockstep.up.sql?raw';
import mysqlPoliciesDown from './mysql/0004_policies.down.sql?raw';
import mysqlPoliciesUp from './mysql/0004_policies.up.sql?raw';
import mysqlRoutingDown from './mysql/0005_routing.down.sql?raw';
import mysqlRoutingUp from './mysql/0005_routing.up.sql?raw';
import mysqlRowTagsDown from './mysql/0006_row_tags.down.sql?raw';
import mysqlRowTagsUp from './mysql/0006_row_tags.up.sql?raw';
import mysqlSharedRowsDown from './mysql/0007_shared_rows.down.sql?raw';
import mysqlSharedRowsUp from './mysql/0007_shared_rows.up.sql?raw';
import mysqlSharedServersDown from './mysql/0008_shared_servers.down.sql?raw';
import mysqlSharedServersUp from './mysql/0008_shared_servers.up.sql?raw';
import mysqlPruningDown from './mysql/0010_pruning.down.sql?raw';
import mysqlPruningUp from './mysql/0010_pruning.up.sql?raw';
import pgAuditsDown from './pg/0002_audits.down.sql?raw';
import pgAuditsUp from './pg/0002_audits.up.sql?raw';
import pgChangelogDown from './pg/0003_changelog.down.sql?raw';
import pgChangelogUp from './pg/0003_changelog.up.sql?raw';
import pgClusterDown from './pg/0011_cluster.down.sql?raw';
import pgClusterUp from './pg/0011_cluster.up.sql?raw';
import pgLockstepDown from './pg/0001_lockstep.down.sql?raw';
import pgLockstepUp from './pg/0001_lockstep.up.sql?raw';
import pgPoliciesDown from './pg/0004_policies.down.sql?raw';
import pgPoliciesUp from './pg/0004_policies.up.sql?raw';
import pgRoutingDown from './pg/0005_routing.down.sql?raw';
import pgRoutingUp from './pg/0005_routing.up.sql?raw';
import pgRowTagsDown from './pg/0006_row_tags.down.sql?raw';
import pgRowTagsUp from './pg/0006_row_tags.up.sql?raw';
import pgSharedRowsDown from './pg/0007_shared_rows.down.sql?raw';
import pgSharedRowsUp from './pg/0007_shared_rows.up.sql?raw';
import pgSharedServersDown from './pg/0008_shared_servers.down.sql?raw';
import pgSharedServersUp from './pg/0008_shared_servers.up.sql?raw';
import pgPruningDown from './pg/0010_pruning.down.sql?raw';
import pgPruningUp from './pg/0010_pruning.up.sql?raw';

/** Several statements, each ended by `;` at the end of its line; on MySQL an empty line follows. */
export interface MigrationScript {
  up: string;
  down: string;
}

export interface Migration {
  name: string;
  /** What taking it back loses, for whoever is about to. */
  loses: string;
  pg: MigrationScript;
  mysql2: MigrationScript;
}

export const migrations: readonly Migration[] = [
  {
    name: '0001_lockstep',
    loses:
      'all versions and fences (every key begins at 1 again), the outbox with invalidations that are still to be done, dead letters, and the outcomes of idempotency keys (a repeat is applied once more)',
    pg: { up: pgLockstepUp, down: pgLockstepDown },
    mysql2: { up: mysqlLockstepUp, down: mysqlLockstepDown },
  },
  {
    name: '0002_audits',
    loses: 'all runs and findings of audits',
    pg: { up: pgAuditsUp, down: pgAuditsDown },
    mysql2: { up: mysqlAuditsUp, down: mysqlAuditsDown },
  },
  {
    name: '0003_changelog',
    loses:
      'how far the change log has been followed (all entries are swept when it is followed again), and the counts of changes that went round Lockstep',
    pg: { up: pgChangelogUp, down: pgChangelogDown },
    mysql2: { up: mysqlChangelogUp, down: mysqlChangelogDown },
  },
  {
    name: '0004_policies',
    loses:
      'the second deletes that are not due yet, which policy the cluster writes each resource by, and the runs of refreshes',
    pg: { up: pgPoliciesUp, down: pgPoliciesDown },
    mysql2: { up: mysqlPoliciesUp, down: mysqlPoliciesDown },
  },
  {
    name: '0005_routing',
    loses: 'the list of the coordinators that run',
    pg: { up: pgRoutingUp, down: pgRoutingDown },
    mysql2: { up: mysqlRoutingUp, down: mysqlRoutingDown },
  },
  {
    name: '0006_row_tags',
    loses:
      'which rows other programs have changed since Lockstep wrote them: their entity tags are not what they were',
    pg: { up: pgRowTagsUp, down: pgRowTagsDown },
    mysql2: { up: mysqlRowTagsUp, down: mysqlRowTagsDown },
  },
  {
    name: '0007_shared_rows',
    loses: 'the names under which rows of several resources are kept, and so their versions',
    pg: { up: pgSharedRowsUp, down: pgSharedRowsDown },
    mysql2: { up: mysqlSharedRowsUp, down: mysqlSharedRowsDown },
  },
  {
    name: '0008_shared_servers',
    loses: 'nothing',
    pg: { up: pgSharedServersUp, down: pgSharedServersDown },
    mysql2: { up: mysqlSharedServersUp, down: mysqlSharedServersDown },
  },
  {
    name: '0010_pruning',
    loses: 'nothing',
    pg: { up: pgPruningUp, down: pgPruningDown },
    mysql2: { up: mysqlPruningUp, down: mysqlPruningDown },
  },
  {
    name: '0011_cluster',
    loses:
      'the name by which entries tell whose they are: what is cached counts as another cluster’s then',
    pg: { up: pgClusterUp, down: pgClusterDown },
    mysql2: { up: mysqlClusterUp, down: mysqlClusterDown },
  },
];
