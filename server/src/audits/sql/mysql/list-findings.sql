select *
from lockstep_audit_findings
where
  (:resource is null or resource = :resource)
  and (:class is null or class = :class)
  and (:status is null or status = :status)
  and (:runId is null or run_id = :runId)
  and (:before is null or id < :before)
order by id desc
limit :limit
