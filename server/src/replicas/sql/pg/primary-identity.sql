select system_identifier::text as identity from pg_control_system()
