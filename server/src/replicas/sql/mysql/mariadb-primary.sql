select @@global.gtid_binlog_pos as position
