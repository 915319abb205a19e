/**
 * What an error of MySQL or MariaDB says about the statement that met it.
 *
 * Lockstep's statements fit the schema that they were bound to. So what a statement meets is what the row's values, its
 * constraints and triggers made of it: it is refused, whatever its number. The exceptions are what may pass
 * (`PASSING`), the classes that say that the statement does not fit the schema (`MISFIT`), and a session that ends.
 * The server gives most of its errors one SQLSTATE (HY000), so that what may pass must be told by number.
 */
import {
  StatementFailure,
  type FailureKind,
  type RefusalGround,
} from '../../../database/connections/statement-failure.ts';
import type { RefusalCodes } from '../../../database/connections/refusals.ts';

const DEADLOCK = '40001';
/** Retried at once: a lock that was waited for too long, a row or a table that changed in between. */
const RETRYABLE = new Set([1020, 1205, 1213, 1412]);

/**
 * The server gives up for now, by what it lacks. Each with the SQLSTATE that the server gives it: a trigger that signals
 * such a number has another one.
 */
const PASSING: Readonly<Record<string, ReadonlySet<number>>> = {
  // Connections, memory, time.
  '08004': new Set([1040]),
  '42000': new Set([1203, 1226]),
  HY001: new Set([1037, 1038]),
  '70100': new Set([1317, 1969]),
  '25006': new Set([1792]),
  HY000: new Set([
    // Files, disks, storage engines.
    ...[1004, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018, 1021, 1023, 1024, 1026, 1027, 1028],
    ...[1030, 1033, 1034, 1035, 1039, 1041, 1114, 1135, 1181, 1194, 1195, 1197, 1705, 1815],
    // Locks, and a row or table that changed in between.
    ...[1020, 1150, 1151, 1165, 1192, 1205, 1206, 1223, 1412, 1637, 1689, 3572, 4060, 4145],
    // Read-only: a failover, a backup, a disk that is nearly full.
    ...[1036, 1290, 1836, 1874, 1881],
    // Time, foreign servers, replication.
    ...[1105, 1296, 1297, 1429, 1430, 1595, 1598, 3024, 3100, 3168, 3170],
    // A proxy in front of the server had no free server in time.
    ...[9001, 9002, 9003, 9004, 9005, 9006, 9007],
  ]),
};

/** Class 42 (syntax, names), 21 (number of columns), 3D (no database), 0A (not supported); an invalid view. */
const MISFIT_CLASS = /^(42|21|3D|0A)/;
const MISFIT_NUMBERS = new Set([1356, 1360, 1615]);

const DENIED = new Set([1044, 1045, 1142, 1143, 1227, 1370, 1410, 1698, 3118, 4151]);

/** The server ends the session because it was killed or shuts down. It does not say whether a commit happened either. */
const ENDED = new Set([1053, 1080, 1180, 1927, 3169, 4031]);

/** Values that no column can hold have class 22; these have none. */
const VALUE = new Set([
  ...[
    1153, 1210, 1264, 1265, 1267, 1270, 1271, 1300, 1301, 1365, 1366, 1367, 1411, 1416, 1441, 1525,
  ],
  ...[1977, 1978, 3037, 3055, 3140, 3141, 3156, 3157, 3854, 4078, 4079, 4161],
]);

/** Errors without a number of the author's: `SIGNAL` of any SQLSTATE, and of one of class 02. */
const SIGNALLED = new Set([1643, 1644]);
/** The server's own numbers are within; a trigger may signal any. */
const LEAST_NUMBER = 1000;
const LEAST_FOREIGN_NUMBER = 10_000;
const OWN_CLASS = /^(0[1-9A]|0K|0Z|2[0-9AEF]|3[4589DF]|4[024]|70|HY|XA)/;

interface ServerError {
  errno: number;
  sqlState: string;
  sqlMessage: string;
  fatal: boolean;
}

/** Of statements that are sent in one message, how many were answered before the error. */
const answeredBefore = new WeakMap<object, number>();

export const noteAnswered = (error: Error, count: number): void => {
  answeredBefore.set(error, count + (answeredBefore.get(error) ?? 0));
};

export function explainMysqlError(error: unknown): StatementFailure {
  if (error instanceof StatementFailure) return error;
  const answer = serverError(error);
  if (answer === null) {
    return new StatementFailure({ kind: 'lost', code: driverCode(error), cause: error });
  }
  const { errno, sqlState, sqlMessage } = answer;
  const isSignalled = isSignal(answer);
  const kind = kindOf(answer, isSignalled);
  return new StatementFailure({
    kind,
    code: String(errno),
    sqlState,
    passing: kind === 'rolled-back' && (RETRYABLE.has(errno) || sqlState === DEADLOCK),
    ground: groundOf(answer, isSignalled),
    constraint: isSignalled ? null : constraintOf(errno, sqlMessage),
    column: isSignalled ? null : columnOf(sqlMessage),
    authorMessage: isSignalled ? sqlMessage : null,
    answered: error instanceof Error ? (answeredBefore.get(error) ?? 0) : 0,
    cause: kind === 'lost' || kind === 'broken' ? error : causeOf(answer, isSignalled),
  });
}

/** Whether a trigger or routine raised it, as far as the server's answer says. */
function isSignal({ errno, sqlState }: ServerError): boolean {
  if (SIGNALLED.has(errno) || errno < LEAST_NUMBER || errno >= LEAST_FOREIGN_NUMBER) return true;
  return sqlState === '45000' || !OWN_CLASS.test(sqlState);
}

function kindOf({ errno, sqlState, fatal }: ServerError, isSignalled: boolean): FailureKind {
  // A session never ends by what an author raises; what he raises as a deadlock is tried again as one.
  if (isSignalled) return sqlState === DEADLOCK ? 'rolled-back' : 'refused';
  if (fatal || ENDED.has(errno)) return 'lost';
  if (sqlState.startsWith('40') || PASSING[sqlState]?.has(errno) === true) return 'rolled-back';
  if (DENIED.has(errno) || VALUE.has(errno)) return 'refused';
  if (sqlState.startsWith('08')) return 'lost';
  return MISFIT_CLASS.test(sqlState) || MISFIT_NUMBERS.has(errno) ? 'broken' : 'refused';
}

function groundOf({ errno, sqlState }: ServerError, isSignalled: boolean): RefusalGround {
  if (isSignalled) return 'rule';
  if (DENIED.has(errno)) return 'right';
  return VALUE.has(errno) || (sqlState.startsWith('22') && errno !== 1138) ? 'value' : 'rule';
}

/** The name of the constraint. A message holds values too, in front: names are therefore looked for from its end. */
function constraintOf(errno: number, message: string): string | null {
  if (errno === 1062 || errno === 1586) {
    return lastMatch(/for key '(?:[^']*\.)?([^'.]+)'$/g, message);
  }
  return lastMatch(/constraint [`']([^`']+)[`']/gi, message);
}

const columnOf = (message: string): string | null =>
  lastMatch(/(?:column|field) [`'](?:[^`']*[`']\.[`'])*([^`']+)[`']/gi, message);

function lastMatch(pattern: RegExp, text: string): string | null {
  return [...text.matchAll(pattern)].at(-1)?.[1] ?? null;
}

/** The error with what an operator needs; not what an author wrote. */
function causeOf({ errno, sqlState, sqlMessage }: ServerError, isSignalled: boolean): Error {
  const cause = new Error(isSignalled ? 'an error that a trigger or routine raised' : sqlMessage);
  return Object.assign(cause, { errno, sqlState });
}

function serverError(error: unknown): ServerError | null {
  if (!(error instanceof Error) || !('errno' in error) || !('sqlState' in error)) return null;
  const { errno } = error;
  if (typeof errno !== 'number' || errno <= 0 || typeof error.sqlState !== 'string') return null;
  return {
    errno,
    sqlState: error.sqlState,
    sqlMessage: 'sqlMessage' in error ? String(error.sqlMessage) : '',
    fatal: 'fatal' in error && error.fatal === true,
  };
}

function driverCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return 'NO_ANSWER';
}

export const mysqlRefusalCodes: RefusalCodes = {
  constraints: {
    '1048': 'not-null',
    '1364': 'not-null',
    '1062': 'unique',
    '1169': 'unique',
    '1586': 'unique',
    '1216': 'foreign-key',
    '1217': 'foreign-key',
    '1451': 'foreign-key',
    '1452': 'foreign-key',
    '3819': 'check',
    '4025': 'check',
  },
  messages: {
    '1264': 'is out of range',
    '1267': 'has characters that its column cannot hold',
    '1416': 'has a wrong form',
    '1265': 'has a wrong form',
    '1292': 'has a wrong form',
    '1366': 'has a wrong form',
    '1406': 'is too long',
    '1977': 'has characters that its column cannot hold',
    '1690': 'is out of range',
  },
};
