-- name: add-finding
insert into lockstep_audit_findings (
  run_id, resource, key_text, cache_key, class, sampled_from, found_at_ms, database_side, cache_side, status
)
values (
  :runId, :resource, :key, :cacheKey, :class, :sampledFrom, {{nowMs}}, :databaseSide, :cacheSide, 'open'
)
{{returningId}}

-- name: begin-run
insert into lockstep_audit_runs (resource, started_by, status, repair_rule, started_at_ms)
values (:resource, :trigger, 'running', :repair, {{nowMs}})
{{returningId}}

-- name: count-open
select count(*) as open from lockstep_audit_findings where status in ('open', 'failed')

-- name: end-run
update lockstep_audit_runs
set
  status = :status,
  ended_at_ms = {{nowMs}},
  sampled = :sampled,
  stale = :stale,
  orphan = :orphan,
  negative_stale = :negativeStale,
  corrupt = :corrupt,
  no_ttl = :noTtl,
  repaired = :repaired,
  failed = :failed,
  error = :error
where id = :id and status = 'running'

-- name: fail-abandoned-runs
update lockstep_audit_runs
set status = 'failed', ended_at_ms = {{nowMs}}, error = :error
where resource = :resource and status = 'running'

-- name: find-finding
select * from lockstep_audit_findings where id = :id

-- name: list-findings
select *
from lockstep_audit_findings
where
  (:resource::text is null or resource = :resource)
  and (:class::text is null or class = :class)
  and (:status::text is null or status = :status)
  and (:run::bigint is null or run_id = :run::bigint)
  and (:before::bigint is null or id < :before::bigint)
order by id desc
limit :limit::bigint

-- name: list-runs
select *
from lockstep_audit_runs
where :resource::text is null or resource = :resource
order by id desc
limit :limit::bigint

-- name: list-open-keys
select id, key_text
from lockstep_audit_findings
where status in ('open', 'failed') and resource = :resource
order by id desc
limit :limit::bigint

-- name: prune-findings
-- Ids have almost no gaps, so the newest findings are those nearest to the highest id.
delete from lockstep_audit_findings
where id <= (
  select bound from (select max(id) - :keep::bigint as bound from lockstep_audit_findings) as newest
)

-- name: prune-runs
-- Runs of the last hour stay, however many there are: consistency is computed from them.
delete from lockstep_audit_runs
where
  id <= (select bound from (select max(id) - :keep::bigint as bound from lockstep_audit_runs) as newest)
  and ended_at_ms < {{nowMs}} - 3600000

-- name: recent-counts
select
  resource,
  {{nowMs}} - ended_at_ms as ago_ms,
  sampled,
  stale + orphan + negative_stale + corrupt + no_ttl as drift
from lockstep_audit_runs
where status = 'done' and ended_at_ms > {{nowMs}} - 3600000

-- name: resolve-finding
update lockstep_audit_findings
set
  status = :status,
  repair_rule = coalesce(:rule::text, repair_rule),
  repair_at_ms = case when :rule::text is null then repair_at_ms else {{nowMs}} end,
  repair_error = case when :rule::text is null then repair_error else :error::text end
where id = :id
