-- name: supersede-open
update lockstep_audit_findings
set status = 'superseded'
where status in ('open', 'failed') and resource = :resource and key_text = :key
