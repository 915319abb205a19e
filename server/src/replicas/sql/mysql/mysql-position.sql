select @@global.gtid_executed as position
