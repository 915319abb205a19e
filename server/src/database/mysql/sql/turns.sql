select resource, `key`, version, fence from lockstep_keys where (resource, `key`) in ({{keys}})
