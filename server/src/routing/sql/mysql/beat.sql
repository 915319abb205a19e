insert into lockstep_members (instance, url, expiry_ms, is_leaving, started_at, seen_at)
values (:instance, :url, :expiryMs, :isLeaving, utc_timestamp(6), utc_timestamp(6))
on duplicate key update url = values(url), expiry_ms = values(expiry_ms), is_leaving = values(is_leaving), seen_at = values(seen_at)
