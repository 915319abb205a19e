show global variables
where variable_name in (
  'log_bin', 'binlog_format', 'binlog_row_image', 'binlog_transaction_compression', 'gtid_mode', 'gtid_executed',
  'gtid_binlog_pos', 'version'
)
