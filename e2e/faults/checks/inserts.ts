/** Compares the inserts of a run with the rows that are there (docs/SPEC.md, W15). */
import type { Cluster } from '../cluster/cluster.ts';
import type { Insert } from '../load/inserts.ts';

/** A row of `receipts`. */
export interface InsertedRow {
  id: number;
  n: number;
  writer: string;
}

export async function checkInserts(
  behind: Cluster['behind'],
  inserts: readonly Insert[],
): Promise<string[]> {
  const rows = await behind.sql('SELECT id, n, writer FROM receipts');
  return compareInserts(
    inserts,
    rows.map(({ id, n, writer }) => ({ id: Number(id), n: Number(n), writer: writer ?? '' })),
  );
}

/** A line for each insert that was answered something else than what is there. */
export function compareInserts(inserts: readonly Insert[], rows: readonly InsertedRow[]): string[] {
  const byMark = new Map<string, InsertedRow[]>();
  for (const row of rows) byMark.set(row.writer, [...(byMark.get(row.writer) ?? []), row]);
  return inserts.flatMap((insert) => {
    const { mark, ending, id, n } = insert;
    const there = byMark.get(mark) ?? [];
    const [row] = there;
    if (there.length > 1) return [`insert ${mark} made ${there.length} rows`];
    if (ending?.e === 'fail' && row !== undefined)
      return [`insert ${mark} was answered ${ending.code} and made row ${row.id}`];
    if (ending?.e !== 'ok') return [];
    if (row === undefined) return [`insert ${mark} was acknowledged as row ${id} and is lost`];
    if (row.id !== id || row.n !== n)
      return [
        `insert ${mark} was answered row ${id} with ${n}, and is row ${row.id} with ${row.n}`,
      ];
    return [];
  });
}
