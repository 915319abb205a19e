/** What a driver answers to a query, as the text that is cached. */

/** How a driver answers: `{ rows }` (pg), `[rows]` (mysql2), or the rows themselves (postgres.js). */
type Shape = 'object' | 'pair' | 'rows';
type Cell = null | string | number | boolean | Readonly<Record<string, unknown>>;

/** @throws TypeError where it holds something that could not be made again */
export function textOfAnswer(answer: unknown, dialect: string): string {
  const [shape, rows] = rowsOf(answer, dialect);
  return JSON.stringify([shape, rows.map((row) => [...row].map(textCell))]);
}

export function answerOfText(text: string): unknown {
  const [shape, rows] = JSON.parse(text) as [Shape, Cell[][]];
  const made = rows.map((row) => row.map(cellOfText));
  if (shape === 'rows') return made;
  return shape === 'pair' ? [made] : { rows: made };
}

/** A select of Drizzle's asks every driver for rows as lists. */
function rowsOf(answer: unknown, dialect: string): [Shape, Iterable<unknown>[]] {
  const found: [Shape, unknown] = Array.isArray(answer)
    ? dialect === 'mysql2'
      ? ['pair', answer[0]]
      : ['rows', Array.from<unknown>(answer)]
    : ['object', (answer as { rows?: unknown } | null)?.rows];
  const [shape, rows] = found;
  if (!Array.isArray(rows) || !rows.every((row) => Array.isArray(row)))
    throw new TypeError('The driver answers in a way that cannot be cached.');
  return [shape, rows as unknown[][]];
}

function textCell(value: unknown): Cell {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { number: numberText(value) };
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (value instanceof Date) return { date: value.toISOString() };
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (typeof value === 'object' && isDocument(value)) return { json: value };
  throw new TypeError('The answer holds a value that cannot be cached.');
}

const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

/** Not an object of a driver's own, which JSON would change. */
function isDocument(value: unknown): boolean {
  if (typeof value !== 'object') return ['string', 'boolean', 'number'].includes(typeof value);
  if (value === null) return true;
  if (Array.isArray(value)) return value.every(isDocument);
  return (
    Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isDocument)
  );
}

const OF_TEXT: Readonly<Record<string, (text: string) => unknown>> = {
  number: Number,
  bigint: BigInt,
  date: (text) => new Date(text),
  bytes: (text) => Buffer.from(text, 'base64'),
};

function cellOfText(cell: Cell): unknown {
  if (cell === null || typeof cell !== 'object') return cell;
  const [[kind, value] = ['json', null]] = Object.entries(cell);
  return OF_TEXT[kind]?.(String(value)) ?? value;
}
