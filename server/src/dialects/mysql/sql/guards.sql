-- name: add
insert into lockstep_guards (fence, resource, `key`, guard, row_resource, row_key, has_others, created_at)
select
  asked.fence, asked.resource, asked.key_text, asked.guard, asked.row_resource, asked.row_key, asked.has_others,
  utc_timestamp(6)
from json_table(:guards, '$[*]' columns (
  fence bigint path '$.fence',
  resource varchar(128) character set utf8mb4 path '$.resource',
  key_text varchar(2048) character set utf8mb4 path '$.key',
  guard varchar(255) character set utf8mb4 path '$.guard',
  row_resource varchar(128) character set utf8mb4 path '$.row_resource',
  row_key varchar(2048) character set utf8mb4 path '$.row_key',
  has_others tinyint path '$.has_others'
)) as asked

-- name: list-calls
select resource, `key`, fence, version from lockstep_guards where guard = :guard

-- name: remove
-- Each row is found by the whole primary key, in the order of the list, so that no gap is locked.
delete g
from json_table(:guards, '$[*]' columns (
  fence bigint path '$.fence',
  resource varchar(128) character set utf8mb4 path '$.resource',
  key_text varchar(2048) character set utf8mb4 path '$.key'
)) as asked
straight_join lockstep_guards as g
  on g.fence = asked.fence
  and g.resource = cast(asked.resource as binary)
  and g.`key` = cast(asked.key_text as binary)

-- name: list-old
select fence, resource, `key` from lockstep_guards
where created_at < utc_timestamp(6) - interval 24 hour limit :limit
