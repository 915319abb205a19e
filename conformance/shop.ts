/** The tables and resources that the kit reads. Each row has a `note`, by which it is told from its entry. README.md has them for a coordinator of one's own. */
export const SHOP_SQL = `
CREATE TABLE accounts (id bigint PRIMARY KEY, note text NOT NULL, balance bigint NOT NULL DEFAULT 0);
CREATE TABLE profiles (id bigint PRIMARY KEY, name text NOT NULL DEFAULT '', note text NOT NULL, data jsonb);
CREATE TABLE parts (region text, sku text, note text NOT NULL, PRIMARY KEY (region, sku));
CREATE TABLE places (country text, city text, note text NOT NULL, PRIMARY KEY (country, city));
CREATE TABLE items (id uuid PRIMARY KEY, note text NOT NULL);
CREATE TABLE flags (is_on boolean PRIMARY KEY, note text NOT NULL);
CREATE TABLE days (day date PRIMARY KEY, note text NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE labels (id bigint PRIMARY KEY, note text NOT NULL);
`;

const weak = 'delete-after-write';

export const SHOP_RESOURCES = {
  account: { table: 'accounts', key: ['id'], cacheKey: 'account:{id}', policy: 'strict' },
  profile: { table: 'profiles', key: ['id'], cacheKey: 'profile:{id}', policy: weak },
  // The same rows with fewer columns, so that their versions are shared.
  card: {
    ...{ table: 'profiles', key: ['id'], columns: ['id', 'name', 'note'] },
    ...{ cacheKey: 'card:{id}', policy: weak },
  },
  part: {
    ...{ table: 'parts', key: ['region', 'sku'] },
    ...{ cacheKey: 'part:{region}:{sku}', policy: 'strict' },
  },
  // The parts of its key stand in another order, and what is between them is no ASCII.
  place: {
    ...{ table: 'places', key: ['country', 'city'] },
    ...{ cacheKey: 'place:{city}·{country}', policy: weak },
  },
  item: { table: 'items', key: ['id'], cacheKey: 'item:{id}', policy: weak },
  flag: { table: 'flags', key: ['is_on'], cacheKey: 'flag:{is_on}', policy: weak },
  day: { table: 'days', key: ['day'], cacheKey: 'day:{day}', policy: weak },
  order: { table: 'orders', key: ['id'], cacheKey: 'order:{id}', policy: 'none' },
  label: {
    ...{ table: 'labels', key: ['id'], cacheKey: 'label:{id}' },
    ...{ policy: weak, format: 'raw' },
  },
  'profiles-by-name': {
    query: 'select id, note from profiles where name = {name} order by id',
    parameters: { name: 'text' },
    dependsOn: [{ resource: 'profile', key: { name: 'name' } }],
    cacheKey: 'profiles-by-name:{name}',
    ttl: '1m',
  },
} as const;

export type ShopResource = keyof typeof SHOP_RESOURCES;
