-- OFF since MySQL 9.6: the server carries the actions of foreign keys out itself, row by row, and logs them.
show global variables where variable_name = 'innodb_native_foreign_keys'
