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

-- name: show-grants
show grants
