insert into lockstep_audit_findings (
  run_id, resource, key_text, cache_key, class, sampled_from, found_at_ms, database_side, cache_side, status
)
values (
  :runId, :resource, :key, :cacheKey, :class, :sampledFrom, (extract(epoch from clock_timestamp()) * 1000)::bigint, :databaseSide, :cacheSide, 'open'
)
returning id
