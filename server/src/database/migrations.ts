import { migrations, type Migration } from '@lockstep/migrations';
import type { Knex } from 'knex';
import type { Connections, ConnectionsOptions } from './connections/connections.ts';
import type { Dialect, MigrationDialect } from './dialect.ts';
import { toDatabaseError } from './connections/statement-failure.ts';

/** What taking a migration back loses, in words. */
export const lossOf = (name: string): string | null =>
  migrations.find((migration) => migration.name === name)?.loses ?? null;

/** Names of migrations, oldest first. */
export interface MigrationStatus {
  applied: string[];
  pending: string[];
}

/** Lockstep's own tables. One process at a time changes them; a process that dies on the way blocks no other. */
export interface Migrations {
  /** Applies what is pending; answers what it applied. */
  up(): Promise<string[]>;
  /** Takes back the newest applied migration; answers its name, nothing where none is applied. */
  down(): Promise<string[]>;
  status(): Promise<MigrationStatus>;
}

/** One migration may rewrite large tables; it is bounded all the same. */
const MIGRATION_TIMEOUT_MS = 600_000;

export function createMigrations(dialect: Dialect, options: ConnectionsOptions): Migrations {
  /** Opens own connections: the pool of the hot path has short timeouts. */
  async function withMigrator<T>(task: (migrator: Knex.Migrator) => Promise<T>): Promise<T> {
    const connections = dialect.connect({
      ...options,
      pool: { min: 0, max: 2 },
      statementTimeoutMs: MIGRATION_TIMEOUT_MS,
    });
    try {
      return await underLock(dialect.migrations, connections, () => task(connections.knex.migrate));
    } catch (error) {
      throw toDatabaseError(error, 'read');
    } finally {
      await connections.close();
    }
  }

  const config = migratorConfig(dialect);
  const migrate = (direction: 'latest' | 'down'): Promise<string[]> =>
    withMigrator(async (migrator) => {
      await migrator.forceFreeMigrationsLock(config);
      return names(await migrator[direction](config));
    });
  return {
    up: () => migrate('latest'),
    down: () => migrate('down'),
    status: () =>
      withMigrator(async (migrator) => {
        const [applied, pending] = (await migrator.list(config)) as { name: string }[][];
        return { applied: nameList(applied), pending: nameList(pending) };
      }),
  };
}

/**
 * Holds a lock of the session while `task` runs. It goes with its process, which knex's own lock (a row in a table)
 * does not: with this one held, a locked row is a dead process's and is taken away.
 */
function underLock<T>(
  dialect: MigrationDialect,
  connections: Connections,
  task: () => Promise<T>,
): Promise<T> {
  const { take, release } = dialect.lock(MIGRATION_TIMEOUT_MS);
  return connections.use(async (session) => {
    await session.run({ text: take, values: [] });
    try {
      return await task();
    } finally {
      await session.run({ text: release, values: [] });
    }
  });
}

function migratorConfig({ migrations: dialect }: Dialect): Knex.MigratorConfig {
  return {
    tableName: 'lockstep_migrations',
    disableTransactions: !dialect.isTransactional,
    migrationSource: {
      getMigrations: () => Promise.resolve([...migrations]),
      getMigrationName: (migration: Migration) => migration.name,
      getMigration: (migration: Migration) =>
        Promise.resolve({
          up: (knex: Knex) => runScript(dialect, knex, dialect.scripts[migration.name].up),
          down: (knex: Knex) => runScript(dialect, knex, dialect.scripts[migration.name].down),
        }),
    },
  };
}

async function runScript(dialect: MigrationDialect, knex: Knex, script: string): Promise<void> {
  for (const statement of dialect.split(script)) {
    const text = statement.replace(/^\s*--.*$/gm, '').trim();
    if (text === '') continue;
    try {
      await knex.raw(text.replace(/;$/, ''));
    } catch (error) {
      if (!dialect.isDoneAlready(error)) throw error;
    }
  }
}

/** knex answers `[batch, names or migrations]`. */
const names = (answer: unknown): string[] => nameList(Array.isArray(answer) ? answer[1] : []);

function nameList(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.map((item: unknown) =>
    typeof item === 'object' && item !== null && 'name' in item ? String(item.name) : String(item),
  );
}
