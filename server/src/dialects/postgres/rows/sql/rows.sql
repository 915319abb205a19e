-- name: read-with-version
-- One statement is one snapshot: the version is that of the row.
select k.version, k.fence, {{present}}, {{changedBy}}, {{nextXid}}{{columns}}
from (select) as one
left join lockstep_keys as k on k.resource = :resource::text and k.key = :key::text
left join {{table}} as r on {{isKey}}

-- name: read-many-with-versions
-- One statement is one snapshot for all keys.
select k.version, k.fence, {{present}}, {{changedBy}}, {{nextXid}}{{columns}}
from unnest(:keys::text[]{{partArrays}}) with ordinality as asked (key{{partNames}}, place)
left join lockstep_keys as k on k.resource = :resource::text and k.key = asked.key
left join {{table}} as r on {{isKey}}
order by asked.place

-- name: read-row
select r.tableoid::text || ' ' || r.ctid::text, r.xmin::text{{columns}} from {{table}} as r where {{isKey}}

-- name: read-columns
select {{columns}} from {{table}} as r where {{isKey}}

-- name: read-table
select r.xmin::text, pg_snapshot_xmax(pg_current_snapshot())::text, {{columns}} from {{table}} as r limit :limit

-- name: lock-row
-- Locks the row and reads it as the change will find it, with the id of the row version.
select r.tableoid::text || ' ' || r.ctid::text, r.xmin::text{{columns}} from {{table}} as r where {{isKey}} for {{lock}} of r

-- name: has-values
-- Whether the row already has the values that the change would set.
select true from {{table}} as r where {{isKey}} and {{isShown}}

-- name: insert-row
insert into {{table}} as r ({{names}}) {{overriding}} values ({{values}}) {{returning}}

-- name: update-row
update {{table}} as r set {{assignments}} where {{isKey}} {{returning}}

-- name: delete-row
delete from {{table}} as r where {{isKey}} {{returning}}

-- name: lock-children
select {{columns}} from {{table}} as r where {{isChild}} limit :limit for update of r

-- name: changed-by
case
    when k.version > 0 and coalesce(r.xmin, '0'::xid) = coalesce(k.row_xid, k.xmin) then null
    else coalesce(r.xmin, '0'::xid)::text
  end

-- name: is-pristine
(
      select since.distance < 2147483648 and since.next_xid - since.distance < :pristine_below::bigint
      from (
        select next_xid, (next_xid - r.xmin::text::bigint) & 4294967295 as distance
        from (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_xid) as now
      ) as since
    )

-- name: next-xid
case when k.version > 0 then null else pg_snapshot_xmax(pg_current_snapshot())::text end

-- name: recorded-xid
(
      select coalesce(k.row_xid, k.xmin) from lockstep_keys as k
      where k.resource = :resource::text and k.key = :key::text
    )

-- name: list-matching
select {{columns}} from {{table}} as r where {{filter}} order by {{order}} limit :limit

-- name: lock-matching
-- Locks those of the keys' rows that match, as they are now.
select {{columns}}
from unnest({{partArrays}}) as asked ({{partNames}})
join {{table}} as r on {{isKey}}
where {{filter}}
for update of r
