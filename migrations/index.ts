/** Lockstep's own tables: their migrations, oldest first. The scripts of each database are in a folder of its own. */

/** What is lost when a migration is taken back, by its name. `lockstep migrate down` says it before it asks. */
const LOSSES = {
  '0001_lockstep':
    'all versions and fences (every key begins at 1 again), the outbox with invalidations that are still to be done, dead letters, and the outcomes of idempotency keys (a repeat is applied once more)',
  '0002_audits': 'all runs and findings of audits',
  '0003_changelog':
    'how far the change log has been followed (all entries are swept when it is followed again), and the counts of changes that went round Lockstep',
  '0004_policies':
    'the second deletes that are not due yet, which policy the cluster writes each resource by, and the runs of refreshes',
  '0005_routing': 'the list of the coordinators that run',
  '0006_row_tags':
    'which rows other programs have changed since Lockstep wrote them: their entity tags are not what they were',
  '0007_shared_rows':
    'the names under which rows of several resources are kept, and so their versions',
  '0008_shared_servers': 'nothing',
  '0010_pruning': 'nothing',
  '0011_cluster':
    'the name by which entries tell whose they are: what is cached counts as another cluster’s then',
  '0012_invalidate':
    'lockstep_invalidate, so that transactions that call it fail, and the invalidations that it was called for and that are not done yet: these entries stay until their TTL',
  '0013_guard':
    'lockstep_guard, so that transactions that call it fail, and what became of the guards of the last day',
  '0014_capture':
    'what capture triggers noted and is not invalidated yet: these entries stay until their TTL. On PostgreSQL the triggers go too; on MySQL and MariaDB run lockstep capture uninstall first, or writes of their tables fail',
  '0015_followed':
    'which resources the change log was followed for: run no coordinators with different configurations then',
  '0016_api_keys': 'all API keys: calls that show one are answered 401 UNAUTHENTICATED then',
} as const;

export type MigrationName = keyof typeof LOSSES;

export interface Migration {
  name: MigrationName;
  loses: string;
}

export const migrations: readonly Migration[] = Object.entries(LOSSES).map(([name, loses]) => ({
  name: name as MigrationName,
  loses,
}));

/** Several statements, each ended by `;` at the end of its line; on MySQL an empty line follows. */
export interface MigrationScript {
  up: string;
  down: string;
}

/** Every migration as one database has it. */
export type MigrationScripts = Readonly<Record<MigrationName, MigrationScript>>;

/** The scripts in a database's files. A file has both: what takes the migration back follows the line `-- down`. */
export function scriptsOf(texts: Readonly<Record<MigrationName, string>>): MigrationScripts {
  const scripts = Object.entries(texts).map(([name, text]) => [name, scriptOf(name, text)]);
  return Object.fromEntries(scripts) as MigrationScripts;
}

function scriptOf(name: string, text: string): MigrationScript {
  const [up, down] = text.split('\n-- down\n');
  if (up === undefined || down === undefined) throw new Error(`no line "-- down" in ${name}`);
  return { up, down };
}
