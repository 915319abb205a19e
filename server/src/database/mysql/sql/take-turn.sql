-- Takes the key's row lock. The version is counted up at once: a write that is refused is rolled back whole.
update lockstep_keys set version = version + 1, written_at = now(6)
where resource = :resource and `key` = :key
