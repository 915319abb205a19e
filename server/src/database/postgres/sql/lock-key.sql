-- Locks the key's row, where there is one, until the end of the transaction.
select true from lockstep_keys where resource = :resource::text and key = :key::text for no key update
