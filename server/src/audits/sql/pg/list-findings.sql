select *
from lockstep_audit_findings
where
  (:resource::text is null or resource = :resource)
  and (:class::text is null or class = :class)
  and (:status::text is null or status = :status)
  and (:runId::bigint is null or run_id = :runId::bigint)
  and (:before::bigint is null or id < :before::bigint)
order by id desc
limit :limit::bigint
