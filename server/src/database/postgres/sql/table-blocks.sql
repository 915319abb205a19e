select coalesce(sum(pg_relation_size(relid)), 0) / current_setting('block_size')::int
from pg_partition_tree(to_regclass(:table))
