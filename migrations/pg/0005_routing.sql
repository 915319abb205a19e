-- One row for each coordinator that runs, or ran a moment ago. It is written every second and is not needed after a
-- crash of the server, so the table is unlogged and a write costs no flush.
create unlogged table lockstep_members (
  instance text collate "C" primary key,
  url text not null,
  expiry_ms bigint not null,
  is_leaving boolean not null,
  started_at timestamptz not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

-- down
drop table lockstep_members;
