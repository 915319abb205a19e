select instance, timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000 as age_ms
from lockstep_shared_servers
