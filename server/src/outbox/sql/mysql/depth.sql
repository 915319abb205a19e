select
  (select count(*) from (select 1 from lockstep_outbox limit :bound) as counted) as depth,
  (select timestampdiff(microsecond, created_at, now(6)) div 1000
    from lockstep_outbox order by id limit 1) as oldest_ms,
  (select count(*) from (select 1 from lockstep_dead_letters limit :bound) as counted) as dead_letters
