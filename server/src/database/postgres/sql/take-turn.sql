-- Takes the key's row lock and counts the version up; answers nothing where the write is not admitted.
insert into lockstep_keys as k (resource, key, fence, version, row_xid)
select :resource::text, :key::text, {{fence}}::bigint, 1, null
{{where}}
on conflict (resource, key) do update
  set version = k.version + 1,
      fence = greatest(k.fence, excluded.fence),
      written_at = excluded.written_at,
      row_xid = null
  where {{admitted}}
returning k.version
