-- name: mariadb-identity
select @@global.server_id as identity

-- name: mariadb-primary
select @@global.gtid_binlog_pos as position

-- name: mariadb-replica
select @@global.gtid_slave_pos as position

-- name: mysql-identity
select @@global.server_uuid as identity

-- name: mysql-position
select @@global.gtid_executed as position

-- name: read-version
select version() as version
