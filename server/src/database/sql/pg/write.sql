-- One write: one statement, so that one round trip and one commit carry all of it.
-- `turn` takes the key's row lock first and answers nothing where the write is not admitted: everything else hangs on
-- it, so nothing has happened then. What shows only later ends in lockstep_refuse(), which rolls the whole back.
with turn as (
  insert into lockstep_keys as k (resource, key, fence, version)
  select :resource::text, :key::text, {{fence}}::bigint, 1
  {{where}}
  on conflict (resource, key) do update
    set version = k.version + 1,
        fence = greatest(k.fence, excluded.fence),
        written_at = excluded.written_at
    where {{admitted}}
  returning k.version
),
go as (
  select version from turn where {{expected}}
),
{{before}}
changed as (
  {{change}}
){{noted}}{{remembered}}
select
  go.version,
  {{outboxId}} as outbox_id,
  changed.created,
  case
    when turn.version is null then false
    when go.version is null or changed.present is null or {{moved}} then lockstep_refuse('not admitted')
  end as refused{{answer}}
from (select) as one
left join turn on true
left join go on true
left join changed on true
{{joins}}
