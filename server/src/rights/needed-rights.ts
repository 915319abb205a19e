/**
 * The rights that a coordinator's account needs, in one table. `check` and `start` check them, and `lockstep grants`
 * prints them.
 */
import { quoteTable, type SqlDialect } from '../database/index.ts';
import { isDerived, type Resource } from '../domain/index.ts';
import { type TableRights, type Verb, VERBS } from './dialect.ts';

interface OwnRights {
  verbs: readonly Verb[];
  /** The table is needed only with the change log. */
  onlyWithLog?: boolean;
}

/** Lockstep's own tables on every database, except that of the migrations, which is only read. */
const OWN_TABLES: Readonly<Record<string, OwnRights>> = {
  // A coordinator reads keys and notes their use; `lockstep keys` adds and removes them by the same account.
  lockstep_api_keys: { verbs: VERBS },
  lockstep_audit_findings: { verbs: VERBS },
  lockstep_audit_leases: { verbs: ['select', 'insert', 'update'] },
  lockstep_audit_runs: { verbs: VERBS },
  lockstep_bypassed: { verbs: ['select', 'insert', 'update'], onlyWithLog: true },
  lockstep_changelog: { verbs: ['select', 'insert', 'update'], onlyWithLog: true },
  lockstep_cluster: { verbs: ['select', 'insert'] },
  // A dead letter is moved back to the outbox while its row is locked, and PostgreSQL requires UPDATE for that lock.
  lockstep_dead_letters: { verbs: VERBS },
  // The coordinator inserts and removes; `lockstep_guard`, with the migrating account's rights, updates.
  lockstep_guards: { verbs: ['select', 'insert', 'delete'] },
  lockstep_idempotency: { verbs: VERBS },
  lockstep_invalidations: { verbs: VERBS },
  lockstep_keys: { verbs: ['select', 'insert', 'update'] },
  lockstep_members: { verbs: VERBS },
  lockstep_outbox: { verbs: VERBS },
  lockstep_policies: { verbs: ['select', 'insert', 'update'] },
  lockstep_refreshes: { verbs: ['select', 'insert', 'update'] },
  lockstep_shared_rows: { verbs: ['select', 'insert'] },
  lockstep_shared_servers: { verbs: VERBS },
};

/** The rights on Lockstep's own tables, once these are migrated. */
export function ownTableRights(dialect: SqlDialect, followsLog: boolean): TableRights[] {
  const { spelling, rights } = dialect;
  const needed = new Map(
    Object.entries(OWN_TABLES)
      .filter(([, { onlyWithLog }]) => followsLog || onlyWithLog !== true)
      .map(([name, { verbs }]) => [name, verbs]),
  );
  for (const [name, verbs] of Object.entries(rights.onOwnTables))
    needed.set(name, [...(needed.get(name) ?? []), ...verbs]);
  needed.set('lockstep_migrations', ['select']);
  return [...needed].map(([name, verbs]) => ({ table: quoteTable(spelling, name), verbs }));
}

/** The rights on a table of the configuration, and the field that names it. */
export interface NamedRights extends TableRights {
  path: string;
  kind: 'resource' | 'cascade' | 'query';
}

/**
 * The rights on the tables of the resources, those of the queries, and those through which foreign keys reach cached
 * rows. The latter are read and locked, so that their rows do not change in between.
 */
export function resourceRights(
  { spelling, rights }: SqlDialect,
  resources: readonly Resource[],
): NamedRights[] {
  const stored = resources.filter((resource) => !isDerived(resource));
  const own = stored.map((resource): NamedRights => {
    const table = quoteTable(spelling, resource.table);
    return {
      table,
      verbs: rights.onResources,
      path: `resources.${resource.name}.table`,
      kind: 'resource',
    };
  });
  const locked: readonly Verb[] = ['select', 'update'];
  const reached = stored.flatMap(({ name, cascades }) =>
    (cascades?.keys ?? []).map(({ childTable }): NamedRights => {
      return { table: childTable, verbs: locked, path: `resources.${name}.table`, kind: 'cascade' };
    }),
  );
  const asked = resources.filter(isDerived).flatMap(({ name, derivation }) =>
    derivation.dependsOn.map((dependency): NamedRights => {
      const table = quoteTable(spelling, dependency.table);
      const field = derivation.source.kind === 'query' ? 'query' : 'dependsOn';
      return { table, verbs: ['select'], path: `resources.${name}.${field}`, kind: 'query' };
    }),
  );
  return [...own, ...reached, ...asked];
}

/** Each table once, with all rights that are needed on it, in the order of the verbs. */
export function merged(rights: readonly TableRights[]): TableRights[] {
  const byTable = new Map<string, Set<Verb>>();
  for (const { table, verbs } of rights) {
    const all = byTable.get(table) ?? new Set();
    byTable.set(table, all);
    for (const verb of verbs) all.add(verb);
  }
  return [...byTable].map(([table, all]) => ({
    table,
    verbs: ([...VERBS, 'trigger'] as const).filter((verb) => all.has(verb)),
  }));
}
