import type { ErrorCodes } from '../../database/statements/error-codes.ts';

/** Numbers of the servers' errors; MySQL and MariaDB have the same. */
export const mysqlCodes: ErrorCodes = {
  wrongPassword: ['1045', '1698'],
  wrongAddress: ['1130'],
  noSuchDatabase: ['1049'],
  noSuchTable: ['1146'],
  denied: ['1142', '1143', '1044', '1370'],
  deniedElsewhere: ['1227'],
  withoutTls: ['3159', 'ER_SECURE_TRANSPORT_REQUIRED'],
  starting: ['1053'],
  tooManyConnections: ['1040', '1203'],
  outsideCharset: ['1267', '1270', '1271', '1977'],
  // A text that is no value of a column's type compares with a warning.
  outsideType: [],
  writes: ['1792'],
};
