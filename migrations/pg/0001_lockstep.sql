-- Versions and fences: one row for each key that was ever written. It stays when the user's row is deleted, so that no
-- version is used twice. The key's index is the only one: an index on a changing column would make every write a
-- non-HOT update.
create table lockstep_keys (
  resource text collate "C" not null,
  key text collate "C" not null,
  fence bigint not null default 0,
  version bigint not null default 0,
  written_at timestamptz not null default clock_timestamp(),
  primary key (resource, key)
) with (fillfactor = 70);

-- What must still be done to the cache for committed writes. It is a queue whose rows come and go quickly, so it has
-- only one index, and vacuum runs after a fixed number of removed rows rather than a share of the table.
create table lockstep_outbox (
  id bigint generated always as identity primary key,
  resource text not null,
  key text not null,
  version bigint,
  cache_key text,
  related json,
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  -- When the row is due. Null until a delivery has failed; second deletes have it from the start.
  retry_at timestamptz,
  error text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Outbox rows that were given up, for an operator to retry or discard.
create table lockstep_dead_letters (
  id bigint primary key,
  resource text not null,
  key text not null,
  version bigint,
  cache_key text,
  related json,
  attempts integer not null,
  created_at timestamptz not null,
  died_at timestamptz not null default clock_timestamp(),
  error text not null
);

-- The first outcome of each idempotency key; kept for 24 hours.
create table lockstep_idempotency (
  idempotency_key text collate "C" primary key,
  request_hash text not null,
  resource text not null,
  key text not null,
  result json not null,
  created_at timestamptz not null default clock_timestamp()
);
create index lockstep_idempotency_created_at on lockstep_idempotency (created_at);

-- Makes the calling statement fail, so that everything it did is rolled back.
create or replace function lockstep_refuse(reason text) returns boolean language plpgsql volatile as $$
begin
  raise exception using errcode = 'LS001', message = reason;
end
$$;

-- down
drop function if exists lockstep_refuse(text);
drop table if exists lockstep_idempotency;
drop table if exists lockstep_dead_letters;
drop table if exists lockstep_outbox;
drop table if exists lockstep_keys;
