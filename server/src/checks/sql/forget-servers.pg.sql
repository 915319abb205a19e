delete from lockstep_shared_servers where seen_at < clock_timestamp() - interval '1 hour'
