-- What the triggers of `lockstep capture install` note of changed rows: a JSON object with the table's name in the
-- configuration, the columns' names, and the values of these columns in each row before and after. A row without it is
-- a call of `lockstep_invalidate`. Such a row has no key, so an earlier release takes it for the whole resource.
alter table lockstep_invalidations add column changes json;

-- down
-- The triggers write that column: without it, every write of a captured table would fail.
do $migration$
declare
  installed record;
begin
  for installed in
    select p.oid::regprocedure as signature
    from pg_catalog.pg_proc as p
    where p.pronamespace = current_schema()::regnamespace and p.proname like 'lockstep\_capture\_%'
  loop
    execute format('drop function %s cascade', installed.signature);
  end loop;
end
$migration$;
alter table lockstep_invalidations drop column changes;
