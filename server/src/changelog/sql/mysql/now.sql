select database() as db, cast(unix_timestamp(now(3)) * 1000 as signed) as now_ms
