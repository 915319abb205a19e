-- Times are milliseconds since 1970 by the database's clock.

-- name: add
insert into lockstep_api_keys (id, name, prefix, secret_hash, scopes, role, created_at_ms, expires_at_ms)
select
  :id, :name, :prefix, :secretHash, :scopes, :role, clock.now_ms,
  case when :expiresInMs::bigint is null then null else clock.now_ms + :expiresInMs::bigint end
from (select {{nowMs}} as now_ms) as clock

-- name: count-valid
select count(*) as valid
from lockstep_api_keys
where revoked_at_ms is null and (expires_at_ms is null or expires_at_ms > {{nowMs}})

-- name: list
select
  id, name, prefix, scopes, role, created_at_ms, expires_at_ms, revoked_at_ms, used_at_ms,
  case when former_until_ms > {{nowMs}} then former_until_ms end as former_until_ms,
  case
    when revoked_at_ms is not null then 'revoked'
    when expires_at_ms <= {{nowMs}} then 'expired'
    else 'valid'
  end as state
from lockstep_api_keys
order by created_at_ms, id

-- name: list-valid
select
  id, prefix, secret_hash, former_hash, scopes, role,
  former_until_ms - {{nowMs}} as former_left_ms,
  expires_at_ms - {{nowMs}} as left_ms
from lockstep_api_keys
where revoked_at_ms is null and (expires_at_ms is null or expires_at_ms > {{nowMs}})

-- name: note-used
update lockstep_api_keys set used_at_ms = {{nowMs}} where id = :id

-- name: prune
delete from lockstep_api_keys
where revoked_at_ms < {{nowMs}} - :keptMs::bigint or expires_at_ms < {{nowMs}} - :keptMs::bigint

-- name: revoke
update lockstep_api_keys set revoked_at_ms = {{nowMs}} where id = :id and revoked_at_ms is null

-- name: rotate
-- MySQL assigns from left to right, so that what is kept is taken before it is replaced.
update lockstep_api_keys
set
  former_hash = secret_hash,
  former_until_ms = case
    when expires_at_ms < {{nowMs}} + :graceMs::bigint then expires_at_ms
    else {{nowMs}} + :graceMs::bigint
  end,
  secret_hash = :secretHash,
  expires_at_ms = case
    when :expiresInMs::bigint is null then expires_at_ms
    else {{nowMs}} + :expiresInMs::bigint
  end
where id = :id and revoked_at_ms is null and (expires_at_ms is null or expires_at_ms > {{nowMs}})
