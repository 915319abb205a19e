create table public.lockstep_embedded (
  started_at timestamptz not null default now()
);
comment on table public.lockstep_embedded is 'Its being there means that the first start is done.';
insert into public.lockstep_embedded default values;
