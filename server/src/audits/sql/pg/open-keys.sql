select id, key_text
from lockstep_audit_findings
where status in ('open', 'failed') and resource = :resource
order by id desc
limit :limit::bigint
