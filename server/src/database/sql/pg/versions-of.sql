select key, version from lockstep_keys where resource = :resource::text and key = any(:keys::text[])
