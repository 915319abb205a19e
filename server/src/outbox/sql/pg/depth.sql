-- A second delete counts once it is due.
select
  (select count(*)
    from (select from lockstep_outbox where due_at is null or due_at <= now() limit :bound) as counted) as depth,
  (select (extract(epoch from clock_timestamp() - coalesce(due_at, created_at)) * 1000)::bigint
    from lockstep_outbox where due_at is null or due_at <= now() order by id limit 1) as oldest_ms,
  (select count(*) from (select from lockstep_dead_letters limit :bound) as counted) as dead_letters
