delete from lockstep_members where seen_at < clock_timestamp() - expiry_ms * interval '1 millisecond' - interval '1 hour'
