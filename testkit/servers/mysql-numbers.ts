/** A table `numbers` with a column n from 1 to `count`, in the FROM of a query of MySQL or MariaDB. */
export const mysqlNumbers = (count: number): string =>
  `json_table(concat('[', repeat('0,', ${count - 1}), '0]'), '$[*]' columns (n for ordinality)) as numbers`;
