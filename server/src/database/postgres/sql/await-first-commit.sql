-- The same where nothing is visible: waits for a transaction that inserts the key. To be rolled back.
insert into lockstep_keys (resource, key) values (:resource::text, :key::text) on conflict do nothing
