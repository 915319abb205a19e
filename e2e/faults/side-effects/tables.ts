/** Tables whose database does more than the statement says: triggers, rules and foreign keys that act. */

const LINES = ['strict', 'plain', 'double', 'uncached'];

/** PostgreSQL only: a total that a trigger makes after the statement, for each policy. */
const PG_LINES = LINES.map(
  (name) => `
  create table line_${name} (id int primary key, qty int not null, total int);
  create function line_${name}_total() returns trigger language plpgsql as $$ begin
    update line_${name} set total = new.qty * 10 where id = new.id; return null; end $$;
  create trigger line_${name}_total after insert or update of qty on line_${name}
    for each row execute function line_${name}_total();`,
);

/** Foreign keys that act, on both databases. */
const FOREIGN_KEYS = [
  `create table country (code varchar(20) primary key, name varchar(20))`,
  `create table city (id int primary key, country varchar(20), name varchar(20),
    foreign key (country) references country (code) on delete cascade on update cascade)`,
  `create table street (id int primary key, city int not null,
    foreign key (city) references city (id) on delete cascade)`,
  `create table visitor (id int primary key, street int,
    foreign key (street) references street (id) on delete set null)`,
  `create table tree (id int primary key, parent int,
    foreign key (parent) references tree (id) on delete cascade)`,
  `create table unit (id int primary key, code varchar(20) not null unique)`,
  `create table maker (id int primary key, code varchar(20) not null unique, name varchar(20))`,
  `create table thing (id int primary key, maker varchar(20),
    foreign key (maker) references maker (code) on delete cascade on update cascade)`,
  `create table price (code varchar(20), day int, amount int, primary key (code, day),
    foreign key (code) references unit (code) on delete cascade on update cascade)`,
];

export const SIDE_EFFECTS_SQL = {
  pg: [
    ...FOREIGN_KEYS,
    ...PG_LINES,
    `create function maker_code() returns trigger language plpgsql as $$ begin
      if new.name <> old.name and new.name like 'c%' then new.code := new.name; end if; return new; end $$;
    create trigger maker_code before update on maker for each row execute function maker_code()`,
    `create table page (id text primary key, body text);
    create function page_lower() returns trigger language plpgsql as $$ begin
      if new.body = 'never' then return null; end if;
      new.id := lower(new.id); return new; end $$;
    create trigger page_lower before insert or update on page for each row execute function page_lower()`,
    `create table softly (id int primary key, deleted_at timestamptz);
    create function softly_mark() returns trigger language plpgsql as $$ begin
      update softly set deleted_at = now() where id = old.id; return null; end $$;
    create trigger softly_mark before delete on softly for each row execute function softly_mark()`,
    `create table event (id int, region text, body text, primary key (id, region)) partition by list (region);
    create table event_eu partition of event for values in ('eu')`,
  ],
  mysql2: [
    ...FOREIGN_KEYS.map((sql) => `${sql} collate utf8mb4_bin`),
    `create trigger maker_code before update on maker for each row
      set new.code = if(new.name <> old.name and new.name like 'c%', new.name, new.code)`,
    `create table page (id varchar(20) primary key, body varchar(20)) collate utf8mb4_bin`,
    `create trigger page_lower before insert on page for each row set new.id = lower(new.id)`,
  ],
};

const table = (name: string, policy: string, rest: object = {}): Record<string, object> => ({
  [name]: {
    table: name.replaceAll('-', '_'),
    key: ['id'],
    cacheKey: `${name}:{id}`,
    policy,
    ...rest,
  },
});

const SHARED = {
  ...table('country', 'delete-after-write', { key: ['code'], cacheKey: 'country:{code}' }),
  ...table('city', 'strict'),
  ...table('city-board', 'delete-after-write', { table: 'city' }),
  ...table('city-name', 'strict', { table: 'city', columns: ['id', 'name'] }),
  ...table('street', 'delete-after-write'),
  ...table('visitor', 'delete-after-write'),
  ...table('tree', 'strict'),
  ...table('unit', 'delete-after-write'),
  ...table('maker', 'delete-after-write'),
  ...table('thing', 'strict'),
  ...table('price', 'strict', { key: ['code', 'day'], cacheKey: 'price:{code}:{day}' }),
  ...table('page', 'delete-after-write'),
};

/** The resources over them. */
export const SIDE_EFFECTS_RESOURCES = {
  pg: {
    ...SHARED,
    ...table('line-strict', 'strict'),
    ...table('line-plain', 'delete-after-write'),
    ...table('line-double', 'delayed-double-delete'),
    ...table('line-uncached', 'none'),
    ...table('softly', 'strict'),
    ...table('event', 'delete-after-write', {
      key: ['id', 'region'],
      cacheKey: 'event:{id}:{region}',
    }),
  },
  mysql2: SHARED,
};

/** The lines' resources, one for each policy. */
export const LINE_RESOURCES = LINES.map((name) => `line-${name}`);
