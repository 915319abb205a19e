-- One write: one statement, so that one round trip and one commit carry all of it.
-- `turn` takes the key's row lock first and answers nothing where the write is not admitted: all else hangs on it, so
-- nothing has happened then. What shows only later ends in lockstep_refuse(), which rolls the whole back.
-- The parts read each other by scalar subqueries: joining them costs half as much again as the work itself.
with turn as (
  insert into lockstep_keys as k (resource, key, fence, version, row_xid)
  select :resource::text, :key::text, {{fence}}::bigint, 1, {{rowXid}}::xid
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
  turn.version,
  {{outboxId}},
  {{created}},
  (select lockstep_refuse('not admitted') where not exists (select from changed) {{moved}}){{answer}}
from turn
left join changed on true
{{joinBefore}}
