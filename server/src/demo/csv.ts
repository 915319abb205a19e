/**
 * The records of a CSV text (RFC 4180: quoted fields, doubled quotes, CRLF or LF), by the names in its first line.
 * @throws RangeError where a record has another number of fields than the first line
 */
export function parseCsv(text: string): Record<string, string>[] {
  const [names, ...records] = parseRecords(text);
  if (names === undefined) return [];
  return records.map((fields, index) => {
    if (fields.length !== names.length) {
      throw new RangeError(`record ${index + 1} has ${fields.length} fields, not ${names.length}`);
    }
    return Object.fromEntries(names.map((name, column) => [name, fields[column] ?? '']));
  });
}

/** One field with what ends it: a quoted one, or anything up to a comma or line break. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

function parseRecords(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const at = FIELD.lastIndex;
    const match = FIELD.exec(text);
    if (match === null) throw new RangeError(`there is no field at character ${at}`);
    const [, quoted, plain, end] = match;
    record.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}
