import type { SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';

declare module '../database/statements/sql.ts' {
  interface SqlDialect {
    readonly rights: RightsDialect;
  }
}

export const VERBS = ['select', 'insert', 'update', 'delete'] as const;
export type Verb = (typeof VERBS)[number] | 'trigger';

export interface TableRights {
  /** Quoted, as in a statement. */
  table: string;
  verbs: readonly Verb[];
}

export interface MissingRight {
  table: string;
  verb: Verb;
}

/** What the server says of the account. */
export interface AccountFacts {
  /** As it is written in a grant. */
  grantee: string;
  /** Where Lockstep's own tables are. PostgreSQL: the schema, or an empty text if there is none. MySQL: the database. */
  ownSchema: string;
  /** Whether the account may create tables there, as far as the server says so at once. */
  mayCreate: boolean;
}

/** A table of Lockstep's own that is there. */
export interface OwnTable {
  name: string;
  isOwner: boolean;
}

/** Why an account cannot do something, and what would let it. */
export interface Obstacle {
  reason: string;
  mend: string;
}

/** What the grants of a database are made of. */
export interface SqlGrantsOptions {
  /** The account's name, without the host of MySQL and MariaDB. */
  account: string;
  database: string;
  /** PostgreSQL: the schema of Lockstep's own tables. */
  schema: string;
  /** The quoted tables that need the same rights. */
  tables: readonly { verbs: string; tables: readonly string[] }[];
  /** The quoted tables that capture triggers are to be put on. */
  captured: readonly string[];
  followsLog: boolean;
  /** See `GrantsOptions`. */
  publication: string | null;
  resources: readonly Resource[];
}

/** Statements for an administrator. */
export interface SqlGrants {
  /** For running `lockstep migrate up`; a start also migrates if something is pending. */
  migrate: string[];
  /** For running coordinators once the tables are migrated. */
  run: string[];
  /** In addition, for following the change log; empty if it is off. */
  changeLog: string[];
  /** For `lockstep capture install`, in addition to those for running; empty without `database.capture: triggers`. */
  capture: string[];
  /**
   * For other programs that call `lockstep_invalidate`; `SERVICE` stands for the account. On PostgreSQL everybody may call
   * it who may use the schema, unless an administrator revoked that.
   */
  invalidate: string[];
}

/** How a database names accounts, and gives and refuses rights. */
export interface RightsDialect {
  /** The product's name, by what the server says as its version. */
  product(version: string): string;
  /** The least version that works, by the product's name. */
  readonly leastVersions: Readonly<Record<string, readonly [major: number, minor: number]>>;
  /** Why the server takes no writes although it is no standby, as the setting that says so. */
  readonly readOnlySetting: string;
  /** Why the account is not told where the rows of some tables are, in words. */
  storagesUnseen(product: string): string;
  /** The account as it is written in a grant. */
  grantee(account: string): string;
  /** What a coordinator needs on the table of a resource. */
  readonly onResources: readonly Verb[];
  /** What it needs on Lockstep's own tables beyond what every database needs. */
  readonly onOwnTables: Readonly<Record<string, readonly Verb[]>>;
  /** Whether tables are listed on which the account has no right. Otherwise only an attempt to read one shows it. */
  readonly listsAllTables: boolean;
  /** Words of its own between the columns and the values of an insert into columns that the database numbers. */
  readonly insertWords: string;
  /** Which rights on these tables the account lacks; it may name others too. */
  missing(sql: SqlRunner, needed: readonly TableRights[]): Promise<MissingRight[]>;
  /** Why the account cannot migrate Lockstep's own tables; null if it can. */
  migrating(
    sql: SqlRunner,
    account: AccountFacts,
    tables: readonly OwnTable[],
  ): Promise<Obstacle | null>;
  grants(options: SqlGrantsOptions): SqlGrants;
}
