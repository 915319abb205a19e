-- What the triggers of `lockstep capture install` note of a changed row: a JSON object with the table's name in the
-- configuration, the columns' names, and the values of these columns in the row before and after. A row without it is a
-- call of `lockstep_invalidate`. Such a row has no key, so an earlier release takes it for the whole resource.
alter table lockstep_invalidations add column changes longtext;

-- down
alter table lockstep_invalidations drop column changes;
