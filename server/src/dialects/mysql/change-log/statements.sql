-- name: await-row
-- Fails while a transaction that changed the row has not ended. It makes no difference whether a row is found.
select 1 from {{table}} where {{isKey}} {{lock}}

-- name: list-binlogs
show binary logs

-- name: read-foreign-key-setting
-- OFF since MySQL 9.6. The server then carries out the actions of foreign keys itself, row by row, instead of InnoDB,
-- and logs them.
show global variables where variable_name = 'innodb_native_foreign_keys'

-- name: show-grants
show grants

-- name: read-clock
select database() as db, cast(unix_timestamp(now(3)) * 1000 as signed) as now_ms

-- name: name-own-server-id
-- Each reader of a binlog needs a different id. At least 2^30, because people and programs give their servers small
-- ids.
select 1073741824 + conv(left(sha2(concat('lockstep/', database()), 256), 7), 16, 10) as server_id

-- name: read-settings
show global variables
where variable_name in (
  'log_bin', 'binlog_format', 'binlog_row_image', 'binlog_transaction_compression', 'gtid_mode', 'gtid_executed',
  'gtid_binlog_pos', 'version'
)

-- name: list-tables
-- Which of these tables exist. The condition compares with plain names; with any other condition the server opens every
-- table.
select t.table_schema as db, t.table_name as name
from information_schema.tables as t
where t.table_type = 'BASE TABLE' and t.table_schema in (:databases) and t.table_name in (:relations)
