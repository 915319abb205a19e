-- The cache and the lock nodes that each running coordinator uses, by ids that are stored on those servers.
-- Coordinators that use different servers must not serve at the same time. Written every second, and not needed after a
-- crash.
create unlogged table lockstep_shared_servers (
  instance text collate "C" primary key,
  cache_id text not null,
  -- Separated by commas, in order; `?` for a lock node that was not reached.
  lock_ids text not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

-- down
drop table lockstep_shared_servers;
