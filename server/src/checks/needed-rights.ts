/**
 * The rights that a coordinator's account needs, in one table. `check` and `start` check them, and `lockstep grants`
 * prints them.
 */
import { type DatabaseClient, quoteTable } from '../database/index.ts';
import { isDerived, type Resource } from '../domain/index.ts';

export const VERBS = ['select', 'insert', 'update', 'delete'] as const;
export type Verb = (typeof VERBS)[number] | 'trigger';

export interface TableRights {
  /** Quoted, as in a statement. */
  table: string;
  verbs: readonly Verb[];
}

interface OwnRights {
  verbs: readonly Verb[];
  /** Additional rights, by client: MySQL's `on duplicate key update` needs UPDATE even if it changes nothing. */
  more?: Partial<Record<DatabaseClient, readonly Verb[]>>;
  /** The table is needed only with this client, or with the change log. */
  only?: DatabaseClient | 'change log';
}

/** Lockstep's own tables, except that of the migrations, which is only read. */
const OWN_TABLES: Readonly<Record<string, OwnRights>> = {
  // A coordinator reads keys and notes their use; `lockstep keys` adds and removes them by the same account.
  lockstep_api_keys: { verbs: VERBS },
  lockstep_audit_findings: { verbs: VERBS },
  lockstep_audit_leases: { verbs: ['select', 'insert', 'update'] },
  lockstep_audit_runs: { verbs: VERBS },
  lockstep_bypassed: { verbs: ['select', 'insert', 'update'], only: 'change log' },
  lockstep_changelog: { verbs: ['select', 'insert', 'update'], only: 'change log' },
  lockstep_cluster: { verbs: ['select', 'insert'], more: { mysql2: ['update'] } },
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
  lockstep_shared_rows: { verbs: ['select', 'insert'], more: { mysql2: ['update'] } },
  lockstep_shared_servers: { verbs: VERBS },
  lockstep_tables: { verbs: ['select', 'insert'], only: 'pg' },
};

/** The rights on Lockstep's own tables, once these are migrated. */
export function ownTableRights(client: DatabaseClient, followsLog: boolean): TableRights[] {
  const needed: readonly OwnRights['only'][] = [
    undefined,
    client,
    ...(followsLog ? (['change log'] as const) : []),
  ];
  const rights = Object.entries(OWN_TABLES)
    .filter(([, { only }]) => needed.includes(only))
    .map(([name, { verbs, more }]) => ({
      table: quoteTable(client, name),
      verbs: [...verbs, ...(more?.[client] ?? [])],
    }));
  return [...rights, { table: quoteTable(client, 'lockstep_migrations'), verbs: ['select'] }];
}

/** The rights on a table of the configuration, and the field that names it. */
export interface NamedRights extends TableRights {
  path: string;
  kind: 'resource' | 'cascade' | 'query';
}

/** MySQL and MariaDB show triggers only to accounts that may create them. */
const RESOURCE_VERBS: Readonly<Record<DatabaseClient, readonly Verb[]>> = {
  pg: VERBS,
  mysql2: [...VERBS, 'trigger'],
};

/**
 * The rights on the tables of the resources, those of the queries, and those through which foreign keys reach cached
 * rows. The latter are read and locked, so that their rows do not change in between.
 */
export function resourceRights(
  client: DatabaseClient,
  resources: readonly Resource[],
): NamedRights[] {
  const stored = resources.filter((resource) => !isDerived(resource));
  const own = stored.map((resource): NamedRights => {
    const table = quoteTable(client, resource.table);
    return {
      table,
      verbs: RESOURCE_VERBS[client],
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
      const table = quoteTable(client, dependency.table);
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
