-- Readers of one binlog are told apart by their id. At least 2^30: people and programs give their servers small ones.
select 1073741824 + conv(left(sha2(concat('lockstep/', database()), 256), 7), 16, 10) as server_id
