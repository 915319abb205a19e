-- Which resources the last term followed, as a JSON object with a digest of each one's definition, by name. The next
-- term sweeps what it follows and the last one did not. Null until this release has followed the log.
alter table lockstep_changelog add column followed longtext;

-- down
alter table lockstep_changelog drop column followed;
