-- Nothing to do: InnoDB purges removed rows by itself.

-- down
-- Nothing to do.
