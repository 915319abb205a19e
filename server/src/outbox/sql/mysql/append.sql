insert into lockstep_outbox (resource, `key`, cache_key, created_at)
select item.resource, item.row_key, item.cache_key, now(6)
from json_table(:items, '$[*]' columns (
  resource varchar(128) character set utf8mb4 path '$.resource',
  row_key varchar(2048) character set utf8mb4 path '$.key',
  cache_key longtext character set utf8mb4 path '$.cache_key'
)) as item
