-- Which cache and lock nodes each running coordinator uses, by ids that are stored in these servers themselves: two
-- coordinators with different ones must not serve together. Written every second, worth nothing after a crash.
create unlogged table lockstep_shared_servers (
  instance text collate "C" primary key,
  cache_id text not null,
  -- Separated by commas, in order; ? for a lock node that was not reached.
  lock_ids text not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

-- down
drop table lockstep_shared_servers;
