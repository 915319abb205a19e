/** Has one statement done by the database, wherever it is. `repeatable`: doing it twice does no harm. */
export type SendToDatabase = <T>(
  statement: { name: string; about: string; repeatable: boolean },
  step: () => T | Promise<T>,
) => Promise<T>;
