-- name: supersede-open
-- The length tells keys apart that differ in trailing spaces only.
update lockstep_audit_findings
set status = 'superseded'
where
  status in ('open', 'failed')
  and resource = :resource
  and key_text = :key
  and length(key_text) = length(:key)
