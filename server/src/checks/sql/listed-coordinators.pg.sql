select instance, extract(epoch from clock_timestamp() - seen_at) * 1000 as age_ms
from lockstep_shared_servers
