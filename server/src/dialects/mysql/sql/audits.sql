-- name: supersede-open
-- The length distinguishes keys that differ only in trailing spaces.
update lockstep_audit_findings
set status = 'superseded'
where
  status in ('open', 'failed')
  and resource = :resource
  and key_text = :key
  and length(key_text) = length(:key)
