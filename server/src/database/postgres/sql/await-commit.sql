-- Waits for the transaction that is writing this key. Answers nothing where the key was never written.
select true from lockstep_keys where resource = :resource::text and key = :key::text for share
