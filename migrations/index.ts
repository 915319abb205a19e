/**
 * Lockstep's own tables as plain SQL, for each kind of database, up and down. The order of this list is the order of
 * application; what is released is never changed, only added to.
 */
import mysqlApiKeys from './mysql/0016_api_keys.sql?raw';
import mysqlAudits from './mysql/0002_audits.sql?raw';
import mysqlCapture from './mysql/0014_capture.sql?raw';
import mysqlChangelog from './mysql/0003_changelog.sql?raw';
import mysqlCluster from './mysql/0011_cluster.sql?raw';
import mysqlFollowed from './mysql/0015_followed.sql?raw';
import mysqlGuard from './mysql/0013_guard.sql?raw';
import mysqlInvalidate from './mysql/0012_invalidate.sql?raw';
import mysqlLockstep from './mysql/0001_lockstep.sql?raw';
import mysqlPolicies from './mysql/0004_policies.sql?raw';
import mysqlRouting from './mysql/0005_routing.sql?raw';
import mysqlRowTags from './mysql/0006_row_tags.sql?raw';
import mysqlSharedRows from './mysql/0007_shared_rows.sql?raw';
import mysqlSharedServers from './mysql/0008_shared_servers.sql?raw';
import mysqlPruning from './mysql/0010_pruning.sql?raw';
import pgApiKeys from './pg/0016_api_keys.sql?raw';
import pgAudits from './pg/0002_audits.sql?raw';
import pgCapture from './pg/0014_capture.sql?raw';
import pgChangelog from './pg/0003_changelog.sql?raw';
import pgCluster from './pg/0011_cluster.sql?raw';
import pgFollowed from './pg/0015_followed.sql?raw';
import pgGuard from './pg/0013_guard.sql?raw';
import pgInvalidate from './pg/0012_invalidate.sql?raw';
import pgLockstep from './pg/0001_lockstep.sql?raw';
import pgPolicies from './pg/0004_policies.sql?raw';
import pgRouting from './pg/0005_routing.sql?raw';
import pgRowTags from './pg/0006_row_tags.sql?raw';
import pgSharedRows from './pg/0007_shared_rows.sql?raw';
import pgSharedServers from './pg/0008_shared_servers.sql?raw';
import pgPruning from './pg/0010_pruning.sql?raw';

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

/** A file has both: what takes the migration back follows the line `-- down`. */
function scriptOf(text: string): MigrationScript {
  const [up, down] = text.split('\n-- down\n');
  if (up === undefined || down === undefined) throw new Error(`no line "-- down" in: ${text}`);
  return { up, down };
}

export const migrations: readonly Migration[] = [
  {
    name: '0001_lockstep',
    loses:
      'all versions and fences (every key begins at 1 again), the outbox with invalidations that are still to be done, dead letters, and the outcomes of idempotency keys (a repeat is applied once more)',
    pg: scriptOf(pgLockstep),
    mysql2: scriptOf(mysqlLockstep),
  },
  {
    name: '0002_audits',
    loses: 'all runs and findings of audits',
    pg: scriptOf(pgAudits),
    mysql2: scriptOf(mysqlAudits),
  },
  {
    name: '0003_changelog',
    loses:
      'how far the change log has been followed (all entries are swept when it is followed again), and the counts of changes that went round Lockstep',
    pg: scriptOf(pgChangelog),
    mysql2: scriptOf(mysqlChangelog),
  },
  {
    name: '0004_policies',
    loses:
      'the second deletes that are not due yet, which policy the cluster writes each resource by, and the runs of refreshes',
    pg: scriptOf(pgPolicies),
    mysql2: scriptOf(mysqlPolicies),
  },
  {
    name: '0005_routing',
    loses: 'the list of the coordinators that run',
    pg: scriptOf(pgRouting),
    mysql2: scriptOf(mysqlRouting),
  },
  {
    name: '0006_row_tags',
    loses:
      'which rows other programs have changed since Lockstep wrote them: their entity tags are not what they were',
    pg: scriptOf(pgRowTags),
    mysql2: scriptOf(mysqlRowTags),
  },
  {
    name: '0007_shared_rows',
    loses: 'the names under which rows of several resources are kept, and so their versions',
    pg: scriptOf(pgSharedRows),
    mysql2: scriptOf(mysqlSharedRows),
  },
  {
    name: '0008_shared_servers',
    loses: 'nothing',
    pg: scriptOf(pgSharedServers),
    mysql2: scriptOf(mysqlSharedServers),
  },
  {
    name: '0010_pruning',
    loses: 'nothing',
    pg: scriptOf(pgPruning),
    mysql2: scriptOf(mysqlPruning),
  },
  {
    name: '0011_cluster',
    loses:
      'the name by which entries tell whose they are: what is cached counts as another cluster’s then',
    pg: scriptOf(pgCluster),
    mysql2: scriptOf(mysqlCluster),
  },
  {
    name: '0012_invalidate',
    loses:
      'lockstep_invalidate, so that transactions that call it fail, and the invalidations that it was called for and that are not done yet: these entries stay until their TTL',
    pg: scriptOf(pgInvalidate),
    mysql2: scriptOf(mysqlInvalidate),
  },
  {
    name: '0013_guard',
    loses:
      'lockstep_guard, so that transactions that call it fail, and what became of the guards of the last day',
    pg: scriptOf(pgGuard),
    mysql2: scriptOf(mysqlGuard),
  },
  {
    name: '0014_capture',
    loses:
      'what capture triggers noted and is not invalidated yet: these entries stay until their TTL. On PostgreSQL the triggers go too; on MySQL and MariaDB run lockstep capture uninstall first, or writes of their tables fail',
    pg: scriptOf(pgCapture),
    mysql2: scriptOf(mysqlCapture),
  },
  {
    name: '0015_followed',
    loses:
      'which resources the change log was followed for: run no coordinators with different configurations then',
    pg: scriptOf(pgFollowed),
    mysql2: scriptOf(mysqlFollowed),
  },
  {
    name: '0016_api_keys',
    loses: 'all API keys: calls that show one are answered 401 UNAUTHENTICATED then',
    pg: scriptOf(pgApiKeys),
    mysql2: scriptOf(mysqlApiKeys),
  },
];
