insert into lockstep_outbox (resource, key, cache_key)
select '', '', cache_key from unnest(:cache_keys::text[]) as cache_key
returning id
