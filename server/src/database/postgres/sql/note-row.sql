insert into lockstep_outbox (resource, key, version, related)
values (:resource::text, :key::text, :version::bigint, :related::json)
returning id
