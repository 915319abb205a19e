-- The unusual things that public schemas contain: keys of every type, odd names, inheritance, views, rules, deferred
-- constraints, generated columns, all types.
create schema archive;
create type shelf_kind as enum ('open', 'locked', 'off site');
create type place as (room text, shelf integer);
create domain isbn as char(13);
create domain amount as numeric(12, 2) default 0 not null check (value >= 0);
create domain money_left as amount;

-- Keys
create table key_boolean (flag boolean primary key, note text);
create table key_date (day date primary key, note text);
create table key_time (at time primary key, note text);
create table key_timestamp (at timestamp(3) primary key, note text);
create table key_timestamptz (at timestamptz primary key, note text);
create table key_uuid (id uuid primary key default gen_random_uuid(), note text);
create table key_numeric (id numeric(10, 2) primary key, note text);
create table key_enum (kind shelf_kind primary key, note text);
create table key_domain (id isbn primary key, note text);
create table key_char (code char(2) primary key, note text);
create table key_varchar (code varchar(8) collate "C" primary key, note text);
create table key_smallint (id smallint primary key, note text);
create table key_bytes (part bytea, place smallint, note text, primary key (part, place));
create table key_unique (slug text not null unique, note text);
create table key_include (id bigint not null, slug text not null, note text, unique (id) include (slug));
create table key_only (book_id bigint, author_id uuid, kind shelf_kind, primary key (book_id, author_id, kind));
create table key_of_many (
  a integer, b text, c date, d boolean, e shelf_kind, note text, primary key (e, d, c, b, a)
);
create table key_last (note text, weight real, id bigint primary key);

-- Names
create table "Order" ("group" integer primary key, "select" text, "from" date, "User" text, "table" jsonb);
create table "Orders.2026" ("id" integer primary key, "a.b" text, "c d" text, "e""f" text, "g:h" text, "i?j" text, "$1" text);
create table "Ünïcode Täble" ("schlüssel" integer primary key, "größe" real);
create table "toString" ("__proto__" integer primary key, "constructor" text, "hasOwnProperty" text, "toString" text);
create table version (version integer primary key, value text, id text, key text, key_hash text, row text);
create table archive.book (id integer primary key, title text, "limit" integer);
create table this_name_is_as_long_as_the_server_lets_a_name_be_sixty_three_b (
  this_name_is_as_long_as_the_server_lets_a_name_be_sixty_three_b integer primary key, note text
);

-- What the database does on its own
create table book (
  id bigint generated always as identity primary key,
  code isbn not null unique,
  title text not null,
  price amount,
  left_over money_left,
  price_with_tax numeric(14, 4) generated always as (price * 1.07) stored,
  words tsvector generated always as (to_tsvector('simple', title)) stored,
  added timestamptz not null default now(),
  changed timestamp not null default now(),
  changes integer not null default 0
);
create function count_change() returns trigger language plpgsql as $$
begin new.changes := old.changes + 1; new.changed := clock_timestamp(); return new; end $$;
create trigger count_change before update on book for each row execute function count_change();
create table book_history (id bigserial primary key, book_id bigint, was jsonb, at timestamptz default now());
create function remember() returns trigger language plpgsql as $$
begin insert into book_history (book_id, was) values (old.id, to_jsonb(old)); return null; end $$;
create trigger remember after update or delete on book for each row execute function remember();
create table loan (
  book_id bigint references book on update cascade on delete cascade deferrable initially deferred,
  since date, until date, note text,
  primary key (book_id, since),
  check (until is null or until >= since)
);
create table totals (kind shelf_kind primary key, books integer not null default 0, weight double precision);
create function recount() returns trigger language plpgsql as $$
begin update totals set books = (select count(*) from book); return null; end $$;
create constraint trigger recount after update on book deferrable initially deferred
  for each row execute function recount();
create view cheap as select id, title from book where price < 5;
create materialized view titles as select title from book;
create table item (id integer, name text);
create table film (minutes smallint, primary key (id)) inherits (item);
create table seen (id integer primary key, note text);
create table seen_log (id bigserial primary key, line text);
create rule note_insert as on insert to seen do also insert into seen_log (line) values ('insert');
create table event (
  at timestamptz not null, region text not null, id integer not null, note text, primary key (region, at, id)
) partition by list (region);
create table event_north partition of event for values in ('a', 'b') partition by range (at);
create table event_north_all partition of event_north default;
create table event_rest partition of event default;
create table hashed (id bigint primary key, note text) partition by hash (id);
create table hashed_0 partition of hashed for values with (modulus 2, remainder 0);
create table hashed_1 partition of hashed for values with (modulus 2, remainder 1);
create unlogged table session (token uuid primary key, data bytea, expires timestamptz);
create table guarded (id integer primary key, owner text, note text);
alter table guarded enable row level security;
create policy own on guarded using (owner = current_user);
create table dropped (id integer primary key, gone text, kept text);
alter table dropped drop column gone;
create table no_key (note text);
create table partial_key (note text, unique (note));

-- Types
create table all_types (
  id integer primary key,
  small smallint, big bigint, exact numeric, scaled numeric(20, 6), single real, twice double precision,
  cash money, letters char(4), varied varchar(20), endless text, short_name name, one_letter "char",
  truth boolean, day date, clock time(3), zoned_clock timetz, stamp timestamp, zoned_stamp timestamptz(3), span interval,
  document json, binary_document jsonb, bytes bytea, guid uuid, kind shelf_kind, spot place, code isbn,
  ints integer[], grid integer[][], texts text[], kinds shelf_kind[], documents jsonb[], stamps timestamptz[], blobs bytea[],
  dot point, round circle, area box, way path, shape polygon, edge lseg, endless_line line,
  host inet, net cidr, mac macaddr, mac8 macaddr8, flags bit(5), more_flags bit varying(9),
  found tsvector, wanted tsquery, page xml, lsn pg_lsn, snapshot pg_snapshot, object oid, class regclass,
  days daterange, numbers numrange, whole int4multirange, steps jsonpath
);
insert into all_types values
  (1, -32768, 9223372036854775807, 'NaN', 0.000001, 16777217, 1e-300,
  -12.34, 'a', '', E'line\nbreak \\ "quote" \u00e9 😀', 'n', 'x',
  true, '0044-03-15 BC', '24:00:00', '12:00:00.5+05:30', 'infinity', '12345-06-07 08:09:10Z', '-1 years 2 mons -3 days 04:05:06.789',
  '{"a":750727362669608961,"b":1e400}', 'null', '\x00ff', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'off site', '("a ""b"", c",2)', '9780000000000',
  '{1,NULL,3}', '{{1,2},{3,4}}', '{"a,b","c\"d",NULL,"NULL",""}', '{open,"off site"}', array['{"a": 1e400}', 'null', null]::jsonb[], '{infinity,2020-01-01 00:00:00Z}', array['\x00'::bytea],
  '(1.5,-0)', '<(0,0),1>', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '[(0,0),(1,1)]', '{1,-1,0}',
  '::1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '10101', '1', 
  '''a'':1A b:2', 'a & !b', '<a b="c">d</a>', '16/B374D848', '10:20:10,14,15', 4294967295, 'pg_class',
  '[2020-01-01,)', '(,1.50]', '{[1,3),[5,7)}', '$.a[*] ? (@ > 1)'),
  (2, 0, -9007199254740993, '-0.00', 0, '-0', 'NaN',
  0, '', ' blank ', '', '', '',
  false, 'infinity', '00:00:00', '00:00:00-15:59', '0044-03-15 12:00:00 BC', '-infinity', '0',
  '[1.10,-0,{"b":1,"a":2}]', '"text"', '', '00000000-0000-0000-0000-000000000000', 'open', '(,)', '',
  '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  '(0,0)', '<(1e300,-1e300),0>', '(0,0),(0,0)', '[(0,0)]', '((0,0))', '[(0,0),(0,0)]', '{0,1,0}',
  '10.0.0.1/8', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '00000', '',
  '', '', '', '0/0', '1:1:', 0, '0',
  'empty', '(,)', '{}', '$');
insert into all_types (id) values (3);
insert into all_types (id, ints, numbers) values (4, '[0:1]={5,6}', 'empty');
insert into book (code, title, price, left_over) values
  ('9780000000000', 'One', 12.10, 0), ('9780000000001', 'Añ"x', 0, 1.50);
