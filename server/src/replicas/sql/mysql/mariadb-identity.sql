select @@global.server_id as identity
