select @@global.server_uuid as identity
