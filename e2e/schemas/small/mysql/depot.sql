-- The unusual things that public schemas contain: keys of every type, odd names, engines, partitions, triggers, views,
-- generated columns, all types.

-- Keys
create table key_boolean (flag tinyint(1) primary key, note text);
create table key_date (day date primary key, note text);
create table key_time (at time primary key, note text);
create table key_exact_time (at time(6) primary key, note text);
create table key_datetime (at datetime(6) primary key, note text);
create table key_timestamp (at timestamp primary key, note text);
create table key_year (made year primary key, note text);
create table key_decimal (id decimal(10, 2) primary key, note text);
create table key_enum (kind enum('open', 'locked', 'off site', '7') primary key, note text);
create table key_bytes (part varbinary(16), place smallint unsigned, note text, primary key (part, place));
create table key_bit (flags bit(12) primary key, note text);
insert into key_bit values (0, 'none'), (1, 'one'), (2049, 'two'), (4095, 'all');
create table key_uuid (id uuid primary key, note text);
create table key_ascii (code char(3) character set ascii primary key, note text);
create table key_latin (code varchar(20) character set latin1 collate latin1_swedish_ci primary key, note text);
create table key_any_case (name varchar(40) collate utf8mb4_general_ci primary key, note text);
create table key_exact_case (name varchar(40) collate utf8mb4_bin primary key, note text);
create table key_zerofill (id int(6) unsigned zerofill primary key, note text);
create table key_big (id bigint unsigned primary key, note text);
create table key_unique (slug varchar(40) not null, note text, unique key (slug));
create table key_only (
  item_id bigint, depot_id binary(4), kind enum('a', 'b'), primary key (item_id, depot_id, kind)
);
create table key_of_many (
  a int, b varchar(10), c date, d tinyint(1), e enum('x', 'y'), note text, primary key (e, d, c, b, a)
);
create table key_last (note text, weight float, id bigint primary key);
create table key_prefix (body text, unique key (body(20)));

-- Names
create table `order` (`group` int primary key, `select` text, `from` date, `User` text, `table` json);
create table `orders.2026` (
  id int primary key, `a.b` text, `c d` text, `e``f` text, `g:h` text, `i?j` text, `$1` text, `k"l` text
);
create table `ünïcode täble` (`schlüssel` int primary key, `größe` float);
create table `toString` (`valueOf` int primary key, `constructor` text, `hasOwnProperty` text, `toString` text);
create table version (version int primary key, value text, id text, `key` text, key_hash text, `row` text);
create table this_name_is_as_long_as_the_server_lets_a_name_be_which_is_64_ch (
  this_name_is_as_long_as_the_server_lets_a_name_be_which_is_64_ch int primary key, note text
);

-- What the database does on its own
create table item (
  id bigint unsigned auto_increment primary key,
  code varchar(20) not null unique,
  title varchar(200) not null,
  price decimal(12, 2) not null default 0 check (price >= 0),
  price_with_tax decimal(14, 4) as (price * 1.07) stored,
  title_letters int as (char_length(title)) virtual,
  hidden varchar(10) invisible default 'x',
  added datetime not null default current_timestamp,
  changed timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
  never datetime not null default '0000-00-00 00:00:00',
  changes int not null default 0,
  fulltext key (title)
);
create table item_history (id bigint auto_increment primary key, item_id bigint unsigned, was text, at datetime(6));
delimiter //
create trigger count_change before update on item for each row
begin
  set new.changes = old.changes + 1;
end //
create trigger remember after update on item for each row
begin
  insert into item_history (item_id, was, at) values (old.id, json_object('title', old.title), now(6));
end //
delimiter ;
create table loan (
  item_id bigint unsigned, since date, until date, note text,
  primary key (item_id, since), check (until is null or until >= since),
  foreign key (item_id) references item (id) on update cascade on delete cascade
);
create table node (id int primary key, parent int, note text, foreign key (parent) references node (id) on delete set null);
create view cheap as select id, title from item where price < 5;
create sequence numbers;
create table event (at date not null, id int not null, note text, primary key (at, id))
  partition by range (year(at)) (partition old values less than (2010), partition rest values less than maxvalue);
create table hashed (id bigint primary key, note text) partition by hash (id) partitions 3;
create table listed (id int primary key, note text)
  partition by list (id) (partition few values in (0, 1, 2), partition rest default);
create table versioned (id int primary key, note text) with system versioning;
create table packed (id int primary key, note text compressed) row_format = compressed;
create table no_key (note text);
create table nullable_key (note varchar(20), unique key (note));

-- Types
create table all_types (
  id int primary key,
  tiny tinyint, tiny_unsigned tinyint unsigned, truth tinyint(1), small smallint, medium mediumint unsigned,
  big bigint, big_unsigned bigint unsigned, padded int(5) zerofill, exact decimal(65, 30), single float, twice double,
  scaled float(7, 4), flag bit, flags bit(64), made year,
  day date, clock time(3), stamp datetime(6), zoned_stamp timestamp(3) null,
  letters char(4), varied varchar(20), latin varchar(20) character set latin1, wide varchar(20) character set utf16,
  tiny_words tinytext, words text, medium_words mediumtext, endless longtext,
  fixed_bytes binary(4), bytes varbinary(8), tiny_blob tinyblob, blob_of blob, medium_blob mediumblob, long_blob longblob,
  kind enum('a', 'B', '1', ''), kinds set('new', 'sale', '2'), document json,
  spot point, way linestring, shape polygon, shapes geometrycollection, any_shape geometry,
  guid uuid, host4 inet4, host6 inet6
);
insert into all_types values
  (1, -128, 255, 2, -32768, 16777215,
  -9223372036854775808, 18446744073709551615, 7, 12345678901234567890123456789012345.000000000000000000000000000001, 16777216, 1e-300,
  123.4567, b'1', x'ffffffffffffffff', 2155,
  '9999-12-31', '-838:59:59', '2026-03-29 01:30:00.123456', '2038-01-19 03:14:07.999',
  'é', ' blank ', 'é', '😀', '', 'line\nbreak \\ "quote" é 😀', 'x', 'x',
  x'00ff', x'00', x'', x'00ff10', x'01', x'02',
  '1', 'new,2', '{"a":750727362669608961,"b":1e400,"c":[1.10,-0,"x"]}',
  point(1.5, -0e0), st_geomfromtext('LINESTRING(0 0,1 1)'), st_geomfromtext('POLYGON((0 0,1 0,1 1,0 0))'),
  st_geomfromtext('GEOMETRYCOLLECTION(POINT(1 1))'), st_geomfromtext('POINT(1 1)', 4326),
  'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '127.0.0.1', '::ffff:10.0.0.1');
insert into all_types (id) values (2);
insert into all_types (id, truth, kind, kinds, document, clock, twice, words) values
  (3, -1, '', '', 'null', '00:00:00', -0e0, ''),
  (4, 0, 'B', 'sale', '[]', '838:59:59', 1e308, repeat('long', 16000));
set sql_mode = '';
insert into all_types (id, made, day, stamp, zoned_stamp) values
  (5, 0, '0000-00-00', '2026-00-05 01:02:03', '0000-00-00 00:00:00');
