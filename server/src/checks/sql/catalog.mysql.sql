-- name: list-own-tables
select table_name as name
from information_schema.tables
where table_schema = database() and table_name like 'lockstep\_%'
order by table_name

-- name: may-see-triggers
-- MySQL and MariaDB show a table's triggers only to accounts that have TRIGGER on the table, its database or
-- everything.
select count(*) as grants from (
  select 1 from information_schema.user_privileges where privilege_type = 'TRIGGER'
  union all
  select 1 from information_schema.schema_privileges where privilege_type = 'TRIGGER' and database() like table_schema
  union all
  select 1 from information_schema.table_privileges
  where privilege_type = 'TRIGGER'
    and :table in (
      concat('`', replace(table_schema, '`', '``'), '`.`', replace(table_name, '`', '``'), '`'),
      if(table_schema = database(), concat('`', replace(table_name, '`', '``'), '`'), '')
    )
) as held

-- name: describe-server
select
  version() as version,
  0 as is_standby,
  @@global.read_only <> 'OFF' and @@global.read_only <> 0 as is_read_only,
  current_user() as account,
  database() as own_schema,
  1 as may_create

-- name: show-grants
show grants
