select
  (select count(*) from (select from lockstep_outbox limit :bound) as counted) as depth,
  (select (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint
    from lockstep_outbox order by id limit 1) as oldest_ms,
  (select count(*) from (select from lockstep_dead_letters limit :bound) as counted) as dead_letters
