-- Nothing: InnoDB purges rows that were removed by itself.

-- down
-- Nothing.
