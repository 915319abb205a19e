insert into lockstep_outbox (resource, `key`, cache_key, created_at)
select '', '', item.cache_key, now(6)
from json_table(:cache_keys, '$[*]' columns (
  cache_key longtext character set utf8mb4 path '$'
)) as item
