import type { Session } from './bounded-session.ts';

/**
 * Reads within a transaction that only reads. Where it fails, the transaction ends with its rollback or its connection.
 * @param begin the statements that begin it
 */
export async function readOnly<T>(
  session: Session,
  begin: readonly string[],
  read: () => Promise<T>,
): Promise<T> {
  for (const text of begin) await session.run({ text, values: [] });
  try {
    return await read();
  } finally {
    await session.run({ text: 'rollback', values: [] });
  }
}
