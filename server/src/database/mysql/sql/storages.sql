-- What the server keeps a schema's tables and partitions under: other numbers after each truncate, exchange or rebuild.
-- Names stand there in the spelling of files.
select
  concat(:schema, '.', convert(convert(
    cast(substring_index(substring_index(t.name, '/', -1), '#P#', 1) as binary) using filename) using utf8mb4)) as table_id,
  t.name as part,
  t.table_id as storage
from information_schema.innodb_sys_tables as t
where convert(convert(cast(substring_index(t.name, '/', 1) as binary) using filename) using utf8mb4) = :schema
order by t.name
