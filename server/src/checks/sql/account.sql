-- name: list-applied-migrations
select name from lockstep_migrations order by id
