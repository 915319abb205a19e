import { quoteName, type SqlRunner, statementsOf } from '../../database/index.ts';
import {
  type AccountFacts,
  type MissingRight,
  type Obstacle,
  type OwnTable,
  type RightsDialect,
  type SqlGrants,
  type SqlGrantsOptions,
  type TableRights,
  type Verb,
  VERBS,
} from '../../rights/index.ts';
import { POSTGRES } from './spelling.ts';
import statements from './sql/rights.sql?raw';

const SQL = statementsOf('pg', statements, ['list-missing-rights']);

export const pgRights: RightsDialect = {
  product: () => 'PostgreSQL',
  leastVersions: { PostgreSQL: [15, 0] },
  readOnlySetting: 'default_transaction_read_only is on',
  storagesUnseen: () => 'the account may not see it',
  grantee: (account) => quoteName(POSTGRES, account),
  onResources: VERBS,
  onOwnTables: { lockstep_tables: ['select', 'insert'] },
  listsAllTables: true,
  insertWords: 'overriding system value',
  missing,
  migrating: (_sql, account, tables) => Promise.resolve(whyNotMigrating(account, tables)),
  grants: pgGrants,
};

async function missing(sql: SqlRunner, needed: readonly TableRights[]): Promise<MissingRight[]> {
  const { rows } = await sql.run(SQL['list-missing-rights'], {
    tables: needed.map(({ table }) => table),
  });
  return rows.map((row) => ({ table: row['name'] ?? '', verb: row['privilege'] as Verb }));
}

function whyNotMigrating(
  { grantee, ownSchema, mayCreate }: AccountFacts,
  tables: readonly OwnTable[],
): Obstacle | null {
  if (ownSchema === '') {
    return { reason: 'search_path names no schema that exists', mend: 'a search_path that does' };
  }
  if (!mayCreate) {
    const schema = quoteName(POSTGRES, ownSchema);
    return {
      reason: `the account may not create in schema ${ownSchema}`,
      mend: `grant create on schema ${schema} to ${grantee}`,
    };
  }
  const foreign = tables.find(({ isOwner }) => !isOwner);
  if (foreign === undefined) return null;
  return { reason: `${foreign.name} belongs to another account`, mend: 'its owner' };
}

function pgGrants(options: SqlGrantsOptions): SqlGrants {
  const [to, database, schema] = [options.account, options.database, options.schema].map((name) =>
    quoteName(POSTGRES, name),
  );
  const enter = [
    `grant connect on database ${database} to ${to};`,
    `grant usage on schema ${schema} to ${to};`,
  ];
  return {
    migrate: [...enter, `grant create on schema ${schema} to ${to};`],
    run: [
      ...enter,
      ...options.tables.map(
        ({ verbs, tables }) => `grant ${verbs} on ${tables.join(', ')} to ${to};`,
      ),
      ...sequencesOf(options).map((sequence) => `grant usage on sequence ${sequence} to ${to};`),
    ],
    changeLog: options.followsLog
      ? [
          `alter role ${to} replication;`,
          ...(options.publication === null ? [] : [`${options.publication};`]),
        ]
      : [],
    capture: [
      ...(options.captured.length === 0 ? [] : [`grant create on schema ${schema} to ${to};`]),
      ...options.captured.map((table) => `grant trigger on ${table} to ${to};`),
    ],
    invalidate: [
      `grant usage on schema ${schema} to SERVICE;`,
      `grant execute on function ${schema}.lockstep_invalidate(text, text[]) to SERVICE;`,
      `grant execute on function ${schema}.lockstep_guard(text, bigint, text[]) to SERVICE;`,
    ],
  };
}

/** Where the numbers of new rows come from: a key is drawn before its row is inserted. */
function sequencesOf({ resources }: SqlGrantsOptions): string[] {
  const defaults = resources.flatMap(({ columns }) => columns.map(({ defaultSql }) => defaultSql));
  const names = defaults.flatMap((sql) => {
    const name = /^nextval\('((?:[^']|'')+)'::regclass\)$/.exec(sql ?? '')?.[1];
    return name === undefined ? [] : [name.replaceAll("''", "'")];
  });
  return [...new Set(names)];
}
