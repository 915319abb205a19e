delete from lockstep_members where seen_at < utc_timestamp(6) - interval expiry_ms * 1000 microsecond - interval 1 hour
