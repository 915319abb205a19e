/** The tables and resources that most tests work on, in both SQL dialects. */

export type SqlClient = 'pg' | 'mysql2';

const PG_TABLES = `
CREATE TABLE accounts (
  id bigint PRIMARY KEY,
  owner text NOT NULL,
  balance bigint NOT NULL DEFAULT 0,
  email text,
  CONSTRAINT accounts_email_unique UNIQUE (email),
  CONSTRAINT accounts_balance_floor CHECK (balance >= -1000)
);
CREATE TABLE profiles (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  visits bigint NOT NULL DEFAULT 0,
  bio text
);
CREATE TABLE orders (id bigint PRIMARY KEY, item text NOT NULL, quantity integer NOT NULL DEFAULT 1);
CREATE TABLE parts (region text, sku text, stock integer NOT NULL DEFAULT 0, PRIMARY KEY (region, sku));
CREATE TABLE documents (path text PRIMARY KEY, body text NOT NULL DEFAULT '');
CREATE TABLE samples (
  id integer PRIMARY KEY,
  small smallint,
  big bigint,
  exact numeric(40,10),
  approximate double precision,
  flag boolean,
  label varchar(10),
  happened_at timestamptz,
  day date,
  document jsonb,
  raw bytea
);
CREATE TABLE members (id bigint PRIMARY KEY, team text NOT NULL, name text);
CREATE TABLE ledgers (id bigint PRIMARY KEY, amount bigint NOT NULL DEFAULT 0, memo text);
CREATE TABLE notes (id bigint PRIMARY KEY, text text NOT NULL);
CREATE TABLE memos (id bigint PRIMARY KEY, text text NOT NULL);
CREATE TABLE tickets (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seat text NOT NULL, CONSTRAINT one_ticket_each UNIQUE (seat));
CREATE TABLE coupons (code uuid PRIMARY KEY DEFAULT gen_random_uuid(), percent integer NOT NULL DEFAULT 5);
CREATE TABLE lines (shop text, id bigserial, item text, PRIMARY KEY (shop, id));
`;

const MYSQL_TEXT = 'varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

const MYSQL_TABLES = `
CREATE TABLE accounts (
  id bigint PRIMARY KEY,
  owner text NOT NULL,
  balance bigint NOT NULL DEFAULT 0,
  email varchar(200),
  CONSTRAINT accounts_email_unique UNIQUE (email),
  CONSTRAINT accounts_balance_floor CHECK (balance >= -1000)
);
CREATE TABLE profiles (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  visits bigint NOT NULL DEFAULT 0,
  bio text
);
CREATE TABLE orders (id bigint PRIMARY KEY, item text NOT NULL, quantity int NOT NULL DEFAULT 1);
CREATE TABLE parts (region ${MYSQL_TEXT}, sku ${MYSQL_TEXT}, stock int NOT NULL DEFAULT 0, PRIMARY KEY (region, sku));
CREATE TABLE documents (path varchar(768) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, body text NOT NULL DEFAULT (''));
CREATE TABLE samples (
  id int PRIMARY KEY,
  small smallint,
  big bigint,
  exact decimal(40,10),
  approximate double,
  flag tinyint(1),
  label varchar(10) CHARACTER SET utf8mb4,
  happened_at timestamp(6) NULL,
  day date,
  document json,
  raw blob
);
CREATE TABLE members (id bigint PRIMARY KEY, team varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, name text);
CREATE TABLE ledgers (id bigint PRIMARY KEY, amount bigint NOT NULL DEFAULT 0, memo text);
CREATE TABLE notes (id bigint PRIMARY KEY, text text NOT NULL);
CREATE TABLE memos (id bigint PRIMARY KEY, text text NOT NULL);
CREATE TABLE tickets (id bigint AUTO_INCREMENT PRIMARY KEY, seat varchar(100) NOT NULL, CONSTRAINT one_ticket_each UNIQUE (seat));
CREATE TABLE coupons (code varchar(36) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY DEFAULT (uuid()), percent int NOT NULL DEFAULT 5);
CREATE TABLE \`lines\` (shop ${MYSQL_TEXT}, id bigint AUTO_INCREMENT, item text, PRIMARY KEY (shop, id), KEY (id));
`;

/** Creates the tables. Statements end with `;` at a line's end. */
export const SHOP_SQL: Record<SqlClient, string> = { pg: PG_TABLES, mysql2: MYSQL_TABLES };

/** Every resource of the shop: each built policy, single and composite keys. Audits run on demand only, in tests. */
export const SHOP_RESOURCES = {
  account: {
    table: 'accounts',
    key: ['id'],
    cacheKey: 'account:{id}',
    ttl: '10m',
    policy: 'strict',
  },
  profile: {
    table: 'profiles',
    key: ['id'],
    cacheKey: 'profile:{id}',
    ttl: '10m',
    ttlJitter: 0.1,
    negativeTtl: '30s',
    policy: 'delete-after-write',
  },
  order: { table: 'orders', key: ['id'], policy: 'none' },
  part: {
    table: 'parts',
    key: ['region', 'sku'],
    cacheKey: 'part:{region}:{sku}',
    policy: 'strict',
  },
  document: {
    table: 'documents',
    key: ['path'],
    cacheKey: 'document:{path}',
    policy: 'delete-after-write',
  },
  sample: { table: 'samples', key: ['id'], cacheKey: 'sample:{id}', policy: 'strict' },
  member: {
    table: 'members',
    key: ['id'],
    cacheKey: 'member:{id}',
    policy: 'delete-after-write',
    invalidates: ['team:{team}:members'],
  },
  // The next three belong to the tests of audits, which want to know every key of a table.
  ledger: {
    table: 'ledgers',
    key: ['id'],
    policy: 'strict',
    audit: { every: '1h', sample: 400, grace: '100ms', repair: 'refresh' },
  },
  note: {
    table: 'notes',
    key: ['id'],
    policy: 'delete-after-write',
    audit: { every: '1h', sample: 400, grace: '100ms', repair: 'delete' },
  },
  memo: {
    table: 'memos',
    key: ['id'],
    policy: 'delete-after-write',
    audit: { every: '1h', sample: 400, grace: '100ms', repair: 'report' },
  },
  // The keys of the next three are the database's to make.
  ticket: { table: 'tickets', key: ['id'], cacheKey: 'ticket:{id}', policy: 'strict' },
  coupon: {
    table: 'coupons',
    key: ['code'],
    cacheKey: 'coupon:{code}',
    policy: 'delete-after-write',
  },
  line: { table: 'lines', key: ['shop', 'id'], policy: 'none' },
  sealed: {
    table: 'accounts',
    key: ['id'],
    columns: ['id', 'owner'],
    cacheKey: 'sealed:{id}',
    policy: 'strict',
    onWrite: 'delete',
  },
} as const;

/** The TTL is short because some tests wait until a lock expires. The wait is long because a busy machine is slow. */
export const SHORT_LOCKS = { ttl: '2s', waitTimeout: '20s' };

/** A read that has given up the cache answers from the primary: right, but not what a test about the cache expects. */
export const PATIENT_CACHE = { commandTimeout: '10s' };

/** For tests of a cache that hangs: the default of the configuration. */
export const HASTY_CACHE = { mode: 'embedded', commandTimeout: '500ms' };

/** The shop on embedded servers; pass `files: {'shop.sql': SHOP_SQL.pg}` beside it. */
export function embeddedShop(changes: object = {}): object {
  return {
    database: { mode: 'embedded', initSql: './shop.sql' },
    cache: { mode: 'embedded', ...PATIENT_CACHE },
    locks: { mode: 'embedded', ...SHORT_LOCKS },
    resources: SHOP_RESOURCES,
    ...changes,
  };
}

let lastId = Math.floor(Math.random() * 1_000_000) * 1_000;
/** A key that no other test uses. */
export function newId(): number {
  lastId += 1;
  return lastId;
}
