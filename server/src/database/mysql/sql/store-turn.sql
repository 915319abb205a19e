-- What the turn leaves: its fence, where it has one, and the digest of the row as it is now.
update lockstep_keys set fence = greatest(fence, :fence), row_digest = :row_digest
where resource = :resource and `key` = :key
