/**
 * Ground truth: the changes that the database itself recorded, key by key and in order, compared with the callers' answers.
 * Pure: what it compares is read elsewhere.
 *
 * For each key
 *   - every change was sent by somebody, and no request was applied twice, repeats included (W6)
 *   - what was acknowledged is there, what was answered `not_applied` is not (W4)
 *   - the change of a strict write stands at the place that its version says: one gapless chain (W8)
 *   - each change follows from the one before it: no update is lost
 *   - the row is the last change, and the version that Lockstep keeps is the chain's length (strict)
 */
import { FAULT_RESOURCES, type FaultResource } from '../cluster/tables.ts';
import type { MarkedWrite } from '../load/ledger.ts';

/** One committed change; `n` and `writer` are null for a delete. */
export interface NotedChange {
  n: number | null;
  writer: string | null;
}

/** What the database holds of one key when the run is over. */
export interface KeyRecord {
  resource: FaultResource;
  id: number;
  changes: NotedChange[];
  row: { n: number; writer: string } | null;
  /** As Lockstep keeps it; null where it never wrote the key. */
  version: number | null;
}

export interface Sent {
  mark: string;
  write: MarkedWrite;
}

/** What is wrong with one key, a line each. */
export function checkChain(record: KeyRecord, sent: readonly Sent[]): string[] {
  const name = `${record.resource} ${record.id}`;
  const faults = [
    ...checkSteps(record, new Map(sent.map(({ mark, write }) => [mark, write]))),
    ...checkDeletes(record, sent),
    ...sent.flatMap((one) => (one.write.op === 'delete' ? [] : checkSent(record, one))),
    ...checkEnd(record),
  ];
  return faults.map((fault) => `${name}: ${fault}`);
}

/** Each change follows from the one before it. */
function checkSteps({ changes }: KeyRecord, sent: ReadonlyMap<string, MarkedWrite>): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  let before: number | null = null;
  for (const [index, { n, writer }] of changes.entries()) {
    const place = `change ${index + 1}`;
    if (writer !== null) {
      const write = sent.get(writer);
      if (write === undefined) faults.push(`${place} was sent by nobody: ${writer}`);
      else if (seen.has(writer)) faults.push(`${place} applies ${writer} a second time`);
      else if (write.op === 'increment' && (before === null || n !== before + 1))
        faults.push(`${place}, an increment by ${writer}, made ${before} into ${n}`);
      else if (write.op !== 'increment' && n !== write.n)
        faults.push(`${place} by ${writer} put ${n} instead of ${write.n}`);
      seen.add(writer);
    } else if (before === null) faults.push(`${place} deletes what was not there`);
    before = n;
  }
  return faults;
}

function checkSent({ resource, changes }: KeyRecord, { mark, write }: Sent): string[] {
  const at = changes.findIndex(({ writer }) => writer === mark);
  const { endings, op } = write;
  const told = endings.find((ending) => ending.e === 'ok');
  if (told === undefined) {
    const isRefused = endings.length > 0 && endings.every(({ e }) => e === 'fail');
    return isRefused && at >= 0 ? [`${op} ${mark} was answered not_applied and was applied`] : [];
  }
  if (at < 0) return [`${op} ${mark} was acknowledged and is lost`];
  const { version, value } = told.answer;
  const faults: string[] = [];
  if (value !== changes[at]?.n)
    faults.push(`${op} ${mark} was told ${String(value)} and made ${changes[at]?.n}`);
  if (isStrict(resource) && version !== at + 1)
    faults.push(`${op} ${mark} was told version ${version} and is change ${at + 1}`);
  return faults;
}

/** Deletes have no mark in the database; they are checked by their positions and their number. */
function checkDeletes({ resource, changes }: KeyRecord, sent: readonly Sent[]): string[] {
  const deletes = sent.filter(({ write }) => write.op === 'delete');
  const acknowledged = deletes.filter(({ write }) => write.endings.some(({ e }) => e === 'ok'));
  const possible = deletes.filter(
    ({ write }) => write.endings.length === 0 || write.endings.some(({ e }) => e !== 'fail'),
  );
  const faults: string[] = [];
  const count = changes.filter(({ n }) => n === null).length;
  if (count < acknowledged.length || count > possible.length) {
    faults.push(
      `${count} deletes, of ${acknowledged.length} acknowledged and ${possible.length} possible ones`,
    );
  }
  if (!isStrict(resource)) return faults;
  for (const { mark, write } of acknowledged) {
    const told = write.endings.find((ending) => ending.e === 'ok');
    const version = told?.answer.version ?? 0;
    if (changes[version - 1]?.n !== null)
      faults.push(`delete ${mark} was told version ${version}, where there is no delete`);
  }
  return faults;
}

function checkEnd({ resource, changes, row, version }: KeyRecord): string[] {
  const faults: string[] = [];
  const last = changes.at(-1) ?? { n: null, writer: null };
  if ((row?.n ?? null) !== last.n || (row?.writer ?? null) !== last.writer)
    faults.push(`the row is ${JSON.stringify(row)}, the last change ${JSON.stringify(last)}`);
  const kept = version ?? 0;
  if (isStrict(resource) ? kept !== changes.length : kept < changes.length)
    faults.push(`version ${kept} after ${changes.length} changes`);
  return faults;
}

const isStrict = (resource: FaultResource): boolean =>
  FAULT_RESOURCES[resource].policy === 'strict';
