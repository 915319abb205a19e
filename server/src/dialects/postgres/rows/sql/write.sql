-- name: write-row
-- One write as one statement, so that it takes one round trip and one commit.
-- `counted` takes the key's row lock first and returns no row if the write is not admitted. Everything else depends on
-- it, so nothing has happened then. If a reason to refuse appears later, lockstep_refuse() rolls back the whole
-- statement. The parts read each other by scalar subqueries: joins would make the statement half as expensive again.
-- Capture triggers know by `lockstep.own` that the transaction is Lockstep's.
with counted as (
  insert into lockstep_keys as k (resource, key, fence, version, row_xid)
  select :resource::text, :key::text, {{fence}}::bigint, 1, {{rowXid}}::xid
  from set_config('lockstep.own', 'on', true) as own
  {{where}}
  on conflict (resource, key) do update
    set version = k.version + 1,
        fence = greatest(k.fence, excluded.fence),
        written_at = excluded.written_at,
        row_xid = excluded.row_xid
    where {{admitted}}
  returning k.version
),
{{before}}
changed as (
  {{change}}
){{noted}}{{remembered}}
select
  counted.version,
  {{outboxId}},
  {{created}},
  (select lockstep_refuse('not admitted') where not exists (select from changed) {{moved}}){{answer}}
from counted
left join changed on true
{{joinBefore}}

-- name: write-rows
-- Writes of one shape to different rows, each as `write-row` would carry it out, in one statement and one commit.
-- Takes only locks that are free, first the key's row, then the row, and waits for none: one caller's blocked row must
-- not hold up the others, and a statement that never waits cannot deadlock. Writes that return no row (locked, fenced,
-- missing, repeated) have not happened; they are tried again one by one.
with asked as (
  select * from unnest(:places::integer[], :keys::text[], :fences::bigint[]{{arrays}})
    as asked (place, key, fence{{names}})
    {{current}}
),
-- Lateral, so that each key is looked up in the index, whatever size the planner assumes for the table.
own_key as materialized (
  select asked.* from asked, lateral (
    select from lockstep_keys as k
    where k.resource = :resource::text and k.key = asked.key
    for no key update skip locked
  ) as locked
),
-- Keys that were never written according to the snapshot. If several writers try, the locks on the rows decide who is
-- first.
new_key as (
  select asked.* from asked
  where (select k.version from lockstep_keys as k where k.resource = :resource::text and k.key = asked.key) is null
),
own_row as materialized (
  select asked.*, locked.* from (select * from own_key union all select * from new_key) as asked, lateral (
    select {{before}} from {{table}} as r
    where {{isKey}}
    {{lock}} skip locked
  ) as locked
),
counted as (
  insert into lockstep_keys as k (resource, key, fence, version, row_xid)
  select :resource::text, asked.key, asked.fence, 1, {{rowXid}}::xid
  from own_row as asked, set_config('lockstep.own', 'on', true) as own
  on conflict (resource, key) do update
    set version = k.version + 1,
        fence = greatest(k.fence, excluded.fence),
        written_at = excluded.written_at,
        row_xid = excluded.row_xid
    where {{admitted}}
  returning k.key, k.version
),
changed as (
  {{change}}
    returning asked.place, asked.key, counted.version{{returned}}
){{noted}}{{remembered}}
select
  changed.place,
  changed.version,
  {{outboxId}},
  (select lockstep_refuse('not admitted') where (select count(*) from counted) <> (select count(*) from changed)){{answer}}
from (values (1)) as always
left join changed on true
{{joinNoted}}

-- name: update-rows
update {{table}} as r
    set {{assignments}}
    from own_row as asked
    join counted on counted.key = asked.key
    where {{isKey}}

-- name: delete-rows
delete from {{table}} as r
    using own_row as asked
    join counted on counted.key = asked.key
    where {{isKey}}

-- name: is-no-repeat
not exists (select from lockstep_idempotency as i where i.idempotency_key = asked.idempotency_key)

-- name: read-before
-- The columns that related cache keys are made of, as the change will find them: locked, and of the newest row version.
before as materialized (
  select true as present{{columns}}
  from {{table}} as r
  where {{isKey}} and {{version}} is not null
  for no key update of r
),

-- name: change-put
insert into {{table}} as r ({{names}}) {{overriding}}
  select {{values}} where {{version}} is not null {{afterBefore}}
  on conflict ({{key}}) {{onConflict}}
  -- xmax is 0 in an inserted row, and this transaction's number in a row that it locked and updated.
  returning true as present, r.xmax = 0 as created{{columns}}

-- name: change-put-partitioned
-- On a partitioned table a returned row does not show whether it was inserted, so an existing row is looked up first
-- (`before`). If a row appears after this statement's snapshot, neither of these two parts applies, and the write is
-- tried again.
replaced as (
  update {{table}} as r
    set {{assignments}}
    where {{isKey}} and {{version}} is not null and {{isReplaced}} {{unchanged}}
    returning true as present, false as created{{columns}}
),
inserted as (
  insert into {{table}} as r ({{names}}) {{overriding}}
    select {{values}} where {{version}} is not null and not exists (select from before)
    on conflict ({{key}}) do nothing
    returning true as present, true as created{{columns}}
),

-- name: change-patch
update {{table}} as r
  set {{assignments}}
  where {{isKey}} and {{version}} is not null {{afterBefore}} {{unchanged}}
  returning true as present{{columns}}

-- name: change-delete
delete from {{table}} as r
  where {{isKey}} and {{version}} is not null {{unchanged}}
  returning true as present{{columns}}

-- name: with-outbox-row
,
noted as (
  insert into lockstep_outbox (resource, key, version, related)
  select :resource::text, :key::text, (select version from counted), {{related}}
  from changed {{joinBefore}}
  returning id
)

-- name: with-outbox-rows
,
noted as (
  insert into lockstep_outbox (resource, key, version, related)
  select :resource::text, changed.key, changed.version, {{related}} from changed
  returning id, key
)

-- name: with-second-delete
,
noted_again as (
  insert into lockstep_outbox (resource, key, version, related, due_at, retry_at)
  select :resource::text, :key::text, (select version from counted), {{related}}, due.at, due.at
  from changed {{joinBefore}}
  cross join (select clock_timestamp() + :second_delete_after_ms::float8 * interval '1 millisecond' as at) as due
)

-- name: with-second-deletes
,
noted_again as (
  insert into lockstep_outbox (resource, key, version, related, due_at, retry_at)
  select :resource::text, changed.key, changed.version, {{related}}, due.at, due.at
  from changed
  cross join (select clock_timestamp() + :second_delete_after_ms::float8 * interval '1 millisecond' as at) as due
)

-- name: with-outcome
,
remembered as (
  insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
  select :idempotency_key::text, :request_hash::text, :resource::text, :key::text,
    json_build_object(
      'status', 'applied',
      'created', {{created}},
      'version', (select version from counted),
      'fence', {{fence}}::bigint,
      'columns', :column_types::json,
      'row', {{values}}
    )
  from changed
)

-- name: with-outcomes
,
remembered as (
  insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
  select changed.idempotency_key, changed.request_hash, :resource::text, changed.key,
    json_build_object(
      'status', 'applied',
      'created', false,
      'version', changed.version,
      'fence', {{fence}},
      'columns', :column_types::json,
      'row', {{values}}
    )
  from changed
)
