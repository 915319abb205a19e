-- Which transaction wrote the row as it is now: a trigger may have done so within a subtransaction, or nobody has. Most
-- rows were written by the transaction that wrote the key's, and nothing is stored for them.
update lockstep_keys as k
set row_xid = :row_xid::xid
where k.resource = :resource::text and k.key = :key::text
  and coalesce(k.row_xid, k.xmin) is distinct from :row_xid::xid
