-- The guards that callers hold for transactions of their own: one row for each key, from before its fence is given out
-- until its coordinator has been told, or a day later. `key` and `row_key` are canonical texts; `row_resource` and
-- `row_key` name the row in `lockstep_keys`. A transaction looks its row up by the whole primary key, so that it locks
-- no gap into which the next guard would have to be inserted.
create table if not exists lockstep_guards (
  fence bigint not null,
  resource varbinary(128) not null,
  `key` varbinary(2048) not null,
  guard varbinary(255) not null,
  row_resource varbinary(128) not null,
  row_key varbinary(2048) not null,
  -- Whether a change of the row makes more wrong than the row's own strict entries.
  has_others tinyint not null,
  -- The version that the caller's transaction gave the key: written by `lockstep_guard`, so null until it has committed.
  version bigint,
  created_at datetime(6) not null,
  primary key (fence, resource, `key`),
  key lockstep_guards_guard (guard)
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

drop procedure if exists lockstep_guard;

-- Stores the fence of a guard and counts up the version, or raises. The key's row of `lockstep_keys` stays locked until
-- the caller's transaction ends. All its reads lock, so that the caller's snapshot is made after it. It runs with the
-- rights of the account that migrates, and leaves the session's last_insert_id() as it was.
create procedure lockstep_guard(
  in called_resource varchar(128) character set utf8mb4,
  in called_fence bigint,
  in called_key longtext character set utf8mb4
)
modifies sql data
sql security definer
begin
  declare fault varchar(128) character set utf8mb4;
  declare inserted_before bigint default last_insert_id();
  declare place int default 0;
  declare part longtext character set utf8mb4;
  declare key_text longtext character set utf8mb4;
  declare stored_fence, stored_version, used_version bigint;
  declare has_others_too tinyint;
  declare of_resource varbinary(128);
  declare of_key varbinary(2048);
  if called_resource is null or called_fence is null or called_key is null
    or coalesce(json_type(called_key), '') <> 'ARRAY' or json_contains(called_key, 'null')
    or length(called_key) > 16384 then
    set fault = 'LS422 a guard is called with a resource, its fence, and a JSON array of the parts of a key';
    signal sqlstate '45000' set message_text = fault;
  end if;
  while place < json_length(called_key) do
    set part = json_unquote(json_extract(called_key, concat('$[', place, ']')));
    set key_text = concat(if(place = 0, '', concat(key_text, ',')), replace(replace(part, '%', '%25'), ',', '%2C'));
    set place = place + 1;
  end while;
  select row_resource, row_key, version, has_others into of_resource, of_key, used_version, has_others_too
  from lockstep_guards
  where fence = called_fence and resource = cast(called_resource as binary) and `key` = cast(key_text as binary)
  for update;
  if of_resource is null then
    set fault = 'LS409 no guard has this fence on this key any more; a key is spelled as the guard answered it';
  elseif used_version is not null then
    set fault = 'LS409 this guard was used already: it serves one transaction, which calls once for each key';
  else
    insert into lockstep_keys (resource, `key`, fence, version, written_at)
    values (of_resource, of_key, 0, 0, now(6))
    on duplicate key update fence = fence;
    select fence, version into stored_fence, stored_version from lockstep_keys
    where resource = of_resource and `key` = of_key
    for update;
    if stored_fence >= called_fence then
      set fault = 'LS409 a newer holder has this key: the guard was superseded';
    end if;
  end if;
  if fault is not null then
    do last_insert_id(inserted_before);
    signal sqlstate '45000' set message_text = fault;
  end if;
  update lockstep_keys set fence = called_fence, version = version + 1, written_at = now(6)
  where resource = of_resource and `key` = of_key;
  update lockstep_guards set version = stored_version + 1
  where fence = called_fence and resource = cast(called_resource as binary) and `key` = cast(key_text as binary);
  if has_others_too then
    insert into lockstep_invalidations (resource, `key`, created_at)
    values (called_resource, called_key, utc_timestamp(6));
  end if;
  do last_insert_id(inserted_before);
end;

-- down
drop procedure if exists lockstep_guard;

drop table if exists lockstep_guards;
