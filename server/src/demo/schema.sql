create table if not exists airports (
  iata text collate "C" primary key,
  name text not null,
  city text,
  state text,
  country text not null,
  latitude double precision not null,
  longitude double precision not null,
  delay_minutes integer not null default 0 check (delay_minutes between 0 and 600)
);

create table if not exists routes (
  origin text collate "C" not null,
  destination text collate "C" not null,
  flights_2008 integer not null,
  seats_left integer not null check (seats_left >= 0),
  primary key (origin, destination)
);

create table if not exists bookings (
  reference text collate "C" primary key,
  origin text not null,
  destination text not null,
  seats integer not null check (seats between 1 and 9),
  booked_at timestamptz not null default now()
);

-- Real tables are slow at times. At every hundredth seat a write of this one takes half a second longer, so that a held
-- lock, its queue and its write intent can be watched.
create or replace function settle_accounts() returns trigger language plpgsql as $$
begin
  perform pg_sleep(0.5);
  return new;
end
$$;

create or replace trigger settle_accounts
  before update of seats_left on routes
  for each row
  when (new.seats_left % 100 = 0 and new.seats_left < old.seats_left)
  execute function settle_accounts();
