select @@global.gtid_slave_pos as position
