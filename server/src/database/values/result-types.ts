/** What the columns of a query's result hold, by what the servers say of them with the result itself. */
import { type ColumnType, isUtc } from '../../domain/index.ts';

/** A time without a zone; the result does not say which zone it is in. */
export const ZONELESS = 'timestamp@';

/**
 * What a column of a result holds where times without a zone are of this one.
 * @param isInSessionZone the time is shown in the session's zone although its type names UTC
 */
export function resultType(
  type: ColumnType,
  isInSessionZone: boolean,
  timeZone: string,
): ColumnType {
  if (type !== ZONELESS && !isInSessionZone) return type;
  return isUtc(timeZone) ? 'timestamp' : `timestamp@${timeZone}`;
}
