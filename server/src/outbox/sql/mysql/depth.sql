-- A second delete counts once it is due.
select
  (select count(*)
    from (select 1 from lockstep_outbox where due_at is null or due_at <= now(6) limit :bound) as counted) as depth,
  (select timestampdiff(microsecond, coalesce(due_at, created_at), now(6)) div 1000
    from lockstep_outbox where due_at is null or due_at <= now(6) order by id limit 1) as oldest_ms,
  (select count(*) from (select 1 from lockstep_dead_letters limit :bound) as counted) as dead_letters
