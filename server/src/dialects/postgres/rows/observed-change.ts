/**
 * A change of a row whose table has triggers or rules: what was asked for is one thing, what the database did another.
 * It is derived from the row before the change and the row after all triggers have fired. Pure.
 *
 *   the statement ran, the row is there       -> applied, as it is there
 *   ran, a new row is not under its key       -> key-changed
 *   ran, a row that was there is gone         -> applied: a trigger removed it (key-changed where it has another key)
 *   did not run, but the row was changed      -> applied, as it is: another statement took its place (a soft delete)
 *   did not run, nothing has changed          -> cancelled, but where the row has what was asked for already
 */
import type { Row } from '@lockstep/shared';
import type { Change } from '../../../domain/index.ts';

/** A row, a mark that is another one after each change of it, and which transaction made the last one. */
export interface SeenRow {
  mark: string;
  changedBy: string;
  row: Row;
}

export interface ObservedChange {
  op: Change['op'];
  before: SeenRow | null;
  after: SeenRow | null;
  /** Whether the database counted the row as inserted, updated or deleted. */
  ran: boolean;
  /** Under which key the statement says that it stored the row; `untold` where it does not say. */
  storedAs: 'asked' | 'other' | 'untold';
}

/** `same`: nothing has happened to the row. */
export type Decision = 'applied' | 'key-changed' | 'cancelled' | 'same';

export function judgeChange({ op, before, after, ran, storedAs }: ObservedChange): Decision {
  if (storedAs === 'other') return 'key-changed';
  const isChanged = before?.mark !== after?.mark;
  if (op === 'delete') return isChanged ? 'applied' : 'cancelled';
  if (after === null) return judgeAbsent(before !== null, ran, storedAs);
  return isChanged ? 'applied' : 'same';
}

function judgeAbsent(
  wasThere: boolean,
  ran: boolean,
  storedAs: ObservedChange['storedAs'],
): Decision {
  if (storedAs === 'asked') return wasThere ? 'applied' : 'key-changed';
  if (!ran) return wasThere ? 'applied' : 'cancelled';
  return 'key-changed';
}
