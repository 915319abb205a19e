delete from lockstep_shared_servers where seen_at < utc_timestamp(6) - interval 1 hour
