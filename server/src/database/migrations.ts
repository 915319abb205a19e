import { migrations, type Migration } from '@lockstep/migrations';
import type { Knex } from 'knex';
import type { Runtime } from '../runtime/index.ts';
import type { ConnectionsOptions, MigrationConnections } from './connections/connections.ts';
import { openForMigrations } from './connections/connections.ts';
import type { DatabaseClient } from './statements/sql.ts';
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

export interface MigrationsOptions extends Omit<ConnectionsOptions, 'pool' | 'statementTimeoutMs'> {
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
}

/** One migration may rewrite large tables; it is bounded all the same. */
const MIGRATION_TIMEOUT_MS = 600_000;
/** PostgreSQL's advisory locks are numbers, and each database's own. */
const LOCK_NUMBER = '4837206613920421';
/** Names of locks are the whole server's, and have 64 characters. */
const MYSQL_LOCK = "concat('lockstep migrations ', left(sha2(database(), 256), 32))";

export function createMigrations(options: MigrationsOptions): Migrations {
  const { client } = options;

  /** Opens own connections: the pool of the hot path has short timeouts. */
  async function withMigrator<T>(task: (migrator: Knex.Migrator) => Promise<T>): Promise<T> {
    const opened = openForMigrations({
      ...options,
      pool: { min: 0, max: 2 },
      statementTimeoutMs: MIGRATION_TIMEOUT_MS,
    });
    try {
      return await underLock(client, opened, () => task(opened.knex.migrate));
    } catch (error) {
      throw toDatabaseError(error, 'read');
    } finally {
      await opened.connections.close();
    }
  }

  const config = migratorConfig(client);
  return {
    up: () =>
      withMigrator(async (migrator) => {
        await migrator.forceFreeMigrationsLock(config);
        return names(await migrator.latest(config));
      }),
    down: () =>
      withMigrator(async (migrator) => {
        await migrator.forceFreeMigrationsLock(config);
        return names(await migrator.down(config));
      }),
    status: () =>
      withMigrator(async (migrator) => {
        const [applied, pending] = (await migrator.list(config)) as [
          { name: string }[],
          Migration[],
        ];
        return {
          applied: applied.map((migration) => migration.name),
          pending: pending.map((migration) => migration.name),
        };
      }),
  };
}

/**
 * Holds a lock of the session while `task` runs. It goes with its process, which knex's own lock (a row in a table)
 * does not: with this one held, a locked row is a dead process's and is taken away.
 */
function underLock<T>(
  client: DatabaseClient,
  { connections }: MigrationConnections,
  task: () => Promise<T>,
): Promise<T> {
  const [take, release] =
    client === 'pg'
      ? [`select pg_advisory_lock(${LOCK_NUMBER})`, `select pg_advisory_unlock(${LOCK_NUMBER})`]
      : [
          `select get_lock(${MYSQL_LOCK}, ${MIGRATION_TIMEOUT_MS / 1000})`,
          `select release_lock(${MYSQL_LOCK})`,
        ];
  return connections.use(async (session) => {
    await session.run({ text: take, values: [] });
    try {
      return await task();
    } finally {
      await session.run({ text: release, values: [] });
    }
  });
}

function migratorConfig(client: DatabaseClient): Knex.MigratorConfig {
  return {
    tableName: 'lockstep_migrations',
    disableTransactions: client === 'mysql2', // DDL commits by itself there
    migrationSource: {
      getMigrations: () => Promise.resolve([...migrations]),
      getMigrationName: (migration: Migration) => migration.name,
      getMigration: (migration: Migration) =>
        Promise.resolve({
          up: (knex: Knex) => runScript(client, knex, migration[client].up),
          down: (knex: Knex) => runScript(client, knex, migration[client].down),
        }),
    },
  };
}

async function runScript(client: DatabaseClient, knex: Knex, script: string): Promise<void> {
  const statements = client === 'pg' ? [script] : script.split(/;[^\S\n]*\n(?:\s*\n|$)/);
  for (const statement of statements) {
    const text = statement.replace(/^\s*--.*$/gm, '').trim();
    if (text === '') continue;
    try {
      await knex.raw(text.replace(/;$/, ''));
    } catch (error) {
      if (client === 'pg' || !isDoneAlready(error)) throw error;
    }
  }
}

/**
 * MySQL commits each DDL statement by itself, so a migration that was cut off is there in part when it runs again:
 * the table, column or index exists already (1050, 1060, 1061) or is gone already (1051, 1091).
 */
function isDoneAlready(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return false;
  return [1050, 1051, 1060, 1061, 1091].includes(Number(error.errno));
}

/** knex answers `[batch, names or migrations]`. */
function names(answer: unknown): string[] {
  const list: unknown = Array.isArray(answer) ? answer[1] : [];
  if (!Array.isArray(list)) return [];
  return list.map((item: unknown) =>
    typeof item === 'object' && item !== null && 'name' in item ? String(item.name) : String(item),
  );
}
