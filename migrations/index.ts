/**
 * Lockstep's own tables as plain SQL, for each kind of database, up and down. The order of this list is the order of
 * application; what is released is never changed, only added to.
 */
import mysqlAuditsDown from './mysql/0002_audits.down.sql?raw';
import mysqlAuditsUp from './mysql/0002_audits.up.sql?raw';
import mysqlChangelogDown from './mysql/0003_changelog.down.sql?raw';
import mysqlChangelogUp from './mysql/0003_changelog.up.sql?raw';
import mysqlLockstepDown from './mysql/0001_lockstep.down.sql?raw';
import mysqlLockstepUp from './mysql/0001_lockstep.up.sql?raw';
import mysqlPoliciesDown from './mysql/0004_policies.down.sql?raw';
import mysqlPoliciesUp from './mysql/0004_policies.up.sql?raw';
import mysqlRoutingDown from './mysql/0005_routing.down.sql?raw';
import mysqlRoutingUp from './mysql/0005_routing.up.sql?raw';
import mysqlRowTagsDown from './mysql/0006_row_tags.down.sql?raw';
import mysqlRowTagsUp from './mysql/0006_row_tags.up.sql?raw';
import pgAuditsDown from './pg/0002_audits.down.sql?raw';
import pgAuditsUp from './pg/0002_audits.up.sql?raw';
import pgChangelogDown from './pg/0003_changelog.down.sql?raw';
import pgChangelogUp from './pg/0003_changelog.up.sql?raw';
import pgLockstepDown from './pg/0001_lockstep.down.sql?raw';
import pgLockstepUp from './pg/0001_lockstep.up.sql?raw';
import pgPoliciesDown from './pg/0004_policies.down.sql?raw';
import pgPoliciesUp from './pg/0004_policies.up.sql?raw';
import pgRoutingDown from './pg/0005_routing.down.sql?raw';
import pgRoutingUp from './pg/0005_routing.up.sql?raw';
import pgRowTagsDown from './pg/0006_row_tags.down.sql?raw';
import pgRowTagsUp from './pg/0006_row_tags.up.sql?raw';

/** Several statements, each ended by `;` at the end of its line; on MySQL an empty line follows. */
export interface MigrationScript {
  up: string;
  down: string;
}

export interface Migration {
  name: string;
  pg: MigrationScript;
  mysql2: MigrationScript;
}

export const migrations: readonly Migration[] = [
  {
    name: '0001_lockstep',
    pg: { up: pgLockstepUp, down: pgLockstepDown },
    mysql2: { up: mysqlLockstepUp, down: mysqlLockstepDown },
  },
  {
    name: '0002_audits',
    pg: { up: pgAuditsUp, down: pgAuditsDown },
    mysql2: { up: mysqlAuditsUp, down: mysqlAuditsDown },
  },
  {
    name: '0003_changelog',
    pg: { up: pgChangelogUp, down: pgChangelogDown },
    mysql2: { up: mysqlChangelogUp, down: mysqlChangelogDown },
  },
  {
    name: '0004_policies',
    pg: { up: pgPoliciesUp, down: pgPoliciesDown },
    mysql2: { up: mysqlPoliciesUp, down: mysqlPoliciesDown },
  },
  {
    name: '0005_routing',
    pg: { up: pgRoutingUp, down: pgRoutingDown },
    mysql2: { up: mysqlRoutingUp, down: mysqlRoutingDown },
  },
  {
    name: '0006_row_tags',
    pg: { up: pgRowTagsUp, down: pgRowTagsDown },
    mysql2: { up: mysqlRowTagsUp, down: mysqlRowTagsDown },
  },
];
