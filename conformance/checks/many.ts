import { jsonText } from '@lockstep/shared';
import type { EntryParts } from '../entries.ts';
import type { Rule } from '../findings.ts';
import { isRow, type Row, said, type Station } from '../station.ts';

/** Reads rows at once whose entries must not be answered; between them stand some that may be. */
export async function expectAllFromCoordinator(
  station: Station,
  rule: Rule,
  entries: readonly (readonly [label: string, parts: EntryParts])[],
): Promise<void> {
  if (!station.has.has('many')) return;
  const rows: (Row & { label: string })[] = [];
  for (const [label, parts] of entries) {
    const row = await station.row('account', { note: 'in the database' });
    await station.putMarked(row, parts);
    rows.push({ ...row, label });
    const value = await station.row('account', { note: 'in the database' });
    rows.push({ ...value, ...(await station.putMarked(value)), label: 'a value' });
  }
  await expectMany(station, rule, rows);
}

/** Reads several rows of one resource at once, each of which has one right answer. */
export async function expectMany(
  station: Station,
  rule: Rule,
  rows: readonly (Row & { label: string })[],
): Promise<void> {
  const [first] = rows;
  if (first === undefined || !station.has.has('many')) return;
  const answers = await station.reader.getMany(
    first.resource,
    rows.map(({ key }) => key),
  );
  for (const [index, row] of rows.entries()) {
    const answer = answers[index] ?? { error: 'no answer' };
    if (!isRow(answer, row))
      station.broken(
        rule,
        `among many, ${row.label}: ${jsonText(row.value)} was answered as ${said(answer)}`,
      );
  }
}
