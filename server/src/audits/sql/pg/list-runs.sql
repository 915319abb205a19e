select *
from lockstep_audit_runs
where :resource::text is null or resource = :resource
order by id desc
limit :limit::bigint
