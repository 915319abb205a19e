-- The guards that callers hold for transactions of their own: one row for each key, from before its fence is given out
-- until its coordinator has been told, or a day later. `key` and `row_key` are canonical texts; `row_resource` and
-- `row_key` name the row in `lockstep_keys`.
create table lockstep_guards (
  fence bigint not null,
  resource text collate "C" not null,
  key text collate "C" not null,
  guard text collate "C" not null,
  row_resource text collate "C" not null,
  row_key text collate "C" not null,
  -- Whether a change of the row makes more wrong than the row's own strict entries.
  has_others boolean not null,
  -- The version that the caller's transaction gave the key: written by `lockstep_guard`, so null until it has committed.
  version bigint,
  created_at timestamptz not null default clock_timestamp(),
  primary key (fence, resource, key)
);
create index lockstep_guards_guard on lockstep_guards (guard);

-- Stores the fence of a guard and counts up the version, or raises. The key's row of `lockstep_keys` stays locked until
-- the caller's transaction ends. Any role may call it, as `lockstep_invalidate`. Answers the version.
do $migration$
begin
  execute format($create$
    create function %1$I.lockstep_guard(resource text, fence bigint, variadic key text[] default '{}')
    returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $body$
    declare
      key_text text;
      held record;
      new_version bigint;
    begin
      if resource is null or fence is null or key is null or array_ndims(key) > 1 or array_position(key, null) is not null then
        raise exception 'LS422 a guard is called with a resource, its fence, and the parts of a key as texts; none is NULL'
          using errcode = 'LS422';
      end if;
      select string_agg(replace(replace(part.text, '%%', '%%25'), ',', '%%2C'), ',' order by part.place) into key_text
      from unnest(lockstep_guard.key) with ordinality as part (text, place);
      select g.* into held from %1$I.lockstep_guards as g
      where g.fence = lockstep_guard.fence and g.resource = lockstep_guard.resource and g.key = key_text
      for update;
      if not found then
        raise exception 'LS409 no guard has the fence %% on this key of %% any more; a key is spelled as the guard answered it',
          fence, left(resource, 128) using errcode = 'LS409';
      end if;
      if held.version is not null then
        raise exception 'LS409 this guard of %% was used already: it serves one transaction, which calls once for each key',
          left(resource, 128) using errcode = 'LS409';
      end if;
      insert into %1$I.lockstep_keys as k (resource, key, fence, version, row_xid)
      values (held.row_resource, held.row_key, held.fence, 1, null)
      on conflict on constraint lockstep_keys_pkey do update
        set version = k.version + 1, fence = excluded.fence, written_at = excluded.written_at, row_xid = null
        where k.fence < excluded.fence
      returning k.version into new_version;
      if new_version is null then
        raise exception 'LS409 a newer holder has this key of %%: the guard was superseded', left(resource, 128)
          using errcode = 'LS409';
      end if;
      update %1$I.lockstep_guards as g set version = new_version
      where g.fence = held.fence and g.resource = held.resource and g.key = held.key;
      if held.has_others then
        insert into %1$I.lockstep_invalidations (resource, key)
        values (held.resource, to_json(lockstep_guard.key));
      end if;
      return new_version;
    end
    $body$
  $create$, current_schema());
end
$migration$;

-- down
drop function lockstep_guard(text, bigint, text[]);
drop table lockstep_guards;
