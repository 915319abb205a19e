-- name: describe-columns
select
  concat(c.table_schema, '.', c.table_name) as table_id,
  concat(@@hostname, ':', @@port, ':', @@server_id) as server,
  c.column_name as name,
  c.column_type as sql_type,
  c.data_type as base_type,
  c.is_nullable = 'YES' as nullable,
  c.column_default is not null and c.column_default <> 'NULL' as has_default,
  c.column_default as default_text,
  version() like '%MariaDB%' or c.extra like '%default_generated%' as is_default_sql,
  c.extra as extra,
  c.data_type <> 'timestamp' and (
    c.extra like '%on update%'
    or if(version() like '%MariaDB%', c.column_default not like '\'%', c.extra like '%default_generated%')
      and lower(c.column_default) regexp
        'current_timestamp|current_date|current_time|now[(]|curdate|curtime|sysdate|localtime|from_unixtime') as filled_with_now,
  coalesce(c.generation_expression, '') <> '' as computed,
  c.character_maximum_length as max_length,
  c.collation_name as collation
from information_schema.columns as c
where c.table_schema = {{schema}} and c.table_name = :name
order by c.ordinal_position

-- name: describe-keys
select s.index_name as name, s.column_name as `column`, s.sub_part as prefix
from information_schema.statistics as s
where s.table_schema = {{schema}} and s.table_name = :name and s.non_unique = 0
order by s.index_name = 'PRIMARY' desc, s.index_name, s.seq_in_index

-- name: describe-table
select
  t.table_type as kind,
  t.engine as engine,
  e.transactions as transactions,
  t.create_time as created
from information_schema.tables as t
left join information_schema.engines as e on e.engine = t.engine
where t.table_schema = {{schema}} and t.table_name = :name

-- name: describe-triggers
-- The triggers that act when a row of the table is written, if the account may see them. Capture triggers change no row
-- of it.
select t.trigger_name as name
from information_schema.triggers as t
where t.event_object_schema = {{schema}} and t.event_object_table = :name
  and t.trigger_name not like 'lockstep!_capture!_%' escape '!'
order by t.trigger_name

-- name: list-column-types
select c.column_name as name, c.data_type as type
from information_schema.columns as c
where c.table_schema = :database and c.table_name = :relation

-- name: is-mariadb
select version() like '%MariaDB%' as yes

-- name: show-create-table
show create table {{table}}

-- name: list-storages-of-mariadb
-- The ids under which the server stores a schema's tables and partitions. They change with each truncate, exchange or
-- rebuild. Names are spelled as file names.
select
  concat(:schema, '.', convert(convert(
    cast(substring_index(substring_index(t.name, '/', -1), '#P#', 1) as binary) using filename) using utf8mb4)) as table_id,
  t.name as part,
  t.table_id as storage
from information_schema.innodb_sys_tables as t
where convert(convert(cast(substring_index(t.name, '/', 1) as binary) using filename) using utf8mb4) = :schema
order by t.name

-- name: list-storages-of-mysql
select t.name as part, t.table_id as storage
from information_schema.innodb_tables as t
where t.name like :prefix
order by t.name

-- name: estimate-table-rows
select table_rows from information_schema.tables where table_schema = {{schema}} and table_name = :name

-- name: sample-keys
select {{key}} from {{table}} as r order by rand() limit :count

-- name: find-key-bounds
select min({{first}}), max({{first}}) from {{table}} as r

-- name: find-first-key
select {{first}} from {{table}} as r where {{first}} >= :from order by {{first}} limit 1

-- name: find-last-key
select {{first}} from {{table}} as r where {{first}} < :below order by {{first}} desc limit 1

-- name: list-keys-from
select {{key}} from {{table}} as r where {{first}} >= :from order by {{first}} limit :count
