-- Writes of one shape to different rows, each as `write.sql` would carry it out, in one statement and one commit.
-- Takes the row locks of those writes that can be had at once, the key's before the row's, and waits for none: one
-- caller's blocked row must not hold up the others, and who never waits is in no deadlock. Writes that do not answer
-- (locked, fenced, not there) have not happened; they are tried again one by one.
with asked as (
  select * from unnest(:places::integer[], :keys::text[], :fences::bigint[]{{arrays}})
    as asked (place, key, fence{{names}})
    {{current}}
),
-- Lateral, so that each key is looked up in the index whatever the planner thinks of the table's size.
own_key as materialized (
  select asked.* from asked, lateral (
    select from lockstep_keys as k
    where k.resource = :resource::text and k.key = asked.key
    for no key update skip locked
  ) as locked
),
-- Keys that were never written, as far as the snapshot shows; their rows' locks decide who writes them first.
new_key as (
  select asked.* from asked
  where (select k.version from lockstep_keys as k where k.resource = :resource::text and k.key = asked.key) is null
),
own_row as materialized (
  select asked.* from (select * from own_key union all select * from new_key) as asked, lateral (
    select from {{table}} as r
    where {{isKey}}
    for no key update skip locked
  ) as locked
),
turn as (
  insert into lockstep_keys as k (resource, key, fence, version)
  select :resource::text, asked.key, asked.fence, 1 from own_row as asked
  on conflict (resource, key) do update
    set version = k.version + 1,
        fence = greatest(k.fence, excluded.fence),
        written_at = excluded.written_at,
        row_xid = null
    where {{admitted}}
  returning k.key, k.version
),
changed as (
  update {{table}} as r
    set {{assignments}}
    from own_row as asked
    join turn on turn.key = asked.key
    where {{isKey}}
    returning asked.place, asked.key, turn.version{{columns}}
){{noted}}
select
  changed.place,
  changed.version,
  {{outboxId}},
  (select lockstep_refuse('not admitted') where (select count(*) from turn) <> (select count(*) from changed)){{answer}}
from (values (1)) as always
left join changed on true
{{joinNoted}}
