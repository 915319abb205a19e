-- name: read-with-version
-- One statement is one snapshot: the version is that of the row.
select k.version, k.fence, k.row_digest, {{present}}{{columns}}
from (select 1 as one) as one
left join lockstep_keys as k on k.resource = :resource and k.`key` = :key
left join {{table}} as r on {{isKey}}

-- name: read-rows
select {{columns}} from {{table}} as r where ({{names}}) in ({{keys}})

-- name: lock-free-rows
-- Locks those rows that can be had at once, and waits for none.
select {{columns}} from {{table}} as r where ({{names}}) in ({{keys}}) for update skip locked

-- name: read-row
select {{columns}} from {{table}} as r where {{isKey}}

-- name: read-table
select {{columns}} from {{table}} as r limit :limit

-- name: lock-row
select {{columns}} from {{table}} as r where {{isKey}} for update

-- name: insert-row
insert into {{table}} ({{names}}) values ({{values}})

-- name: insert-for-number
-- Rolled back. A parent of the row may be another row of the caller's transaction, so foreign keys are left to the insert
-- that follows: each server takes the clause that is written for it, and the other one for a comment.
/*M! set statement foreign_key_checks = 0 for */
insert /*+ set_var(foreign_key_checks = 0) */ into {{table}} ({{names}}) values ({{values}})

-- name: update-row
update {{table}} as r set {{assignments}} where {{isKey}}

-- name: delete-row
delete from {{table}} where {{isKey}}

-- name: lock-children
select {{columns}} from {{table}} as r where {{isChild}} limit :limit for update

-- name: list-matching
select {{columns}} from {{table}} as r where {{filter}} order by {{order}} limit :limit

-- name: lock-matching
-- Locks those of the keys' rows that match, as they are now.
select {{columns}} from {{table}} as r where ({{names}}) in ({{keys}}) and {{filter}} for update
