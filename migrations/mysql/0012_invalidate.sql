-- Invalidations that writers ask for in their own transactions, by `lockstep_invalidate`. Times are UTC: the writer's
-- session may have any zone.
create table if not exists lockstep_invalidations (
  id bigint not null auto_increment primary key,
  resource varbinary(128) not null,
  -- The parts of the key, as the writer spelled them: a JSON array.
  `key` longtext not null,
  attempts int not null default 0,
  created_at datetime(6) not null,
  due_at datetime(6) not null default '1970-01-01 00:00:00',
  -- Whether a coordinator that looked at it does not know its resource.
  is_unknown tinyint not null default 0,
  error text,
  key lockstep_invalidations_due_at (due_at)
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

-- Dead letters of such calls have the key as the writer spelled it, and ids above all of the outbox's.
alter table lockstep_dead_letters add column called_key longtext;

alter table lockstep_dead_letters modify id bigint not null auto_increment, auto_increment = 4503599627370496;

drop procedure if exists lockstep_invalidate;

-- It runs with the rights of the account that migrates, so callers need none on Lockstep's tables. It leaves the
-- session's last_insert_id() as it was.
create procedure lockstep_invalidate(
  in called_resource varchar(128) character set utf8mb4,
  in called_key longtext character set utf8mb4
)
modifies sql data
sql security definer
begin
  declare fault varchar(128) character set utf8mb4;
  declare inserted_before bigint default last_insert_id();
  if called_key is null or coalesce(json_type(called_key), '') <> 'ARRAY' then
    set fault = 'LS422 a key is a JSON array of its parts, such as json_array(42)';
  elseif json_contains(called_key, 'null') then
    set fault = 'LS422 no part of a key is NULL';
  elseif length(called_key) > 16384 then
    set fault = 'LS422 the key is too long';
  elseif not exists (select 1 from lockstep_policies where resource = cast(called_resource as binary)) then
    set fault = left(concat('LS404 no coordinator has a resource named ', coalesce(called_resource, 'NULL')), 128);
  end if;
  if fault is not null then
    signal sqlstate '45000' set message_text = fault;
  end if;
  insert into lockstep_invalidations (resource, `key`, created_at)
  values (called_resource, called_key, utc_timestamp(6));
  do last_insert_id(inserted_before);
end;

-- down
drop procedure if exists lockstep_invalidate;

delete from lockstep_dead_letters where called_key is not null;

alter table lockstep_dead_letters drop column called_key;

alter table lockstep_dead_letters modify id bigint not null;

drop table if exists lockstep_invalidations;
