import type { ErrorCodes } from '../../database/statements/error-codes.ts';

/** SQLSTATEs: [PostgreSQL, appendix A](https://www.postgresql.org/docs/current/errcodes-appendix.html). */
export const postgresCodes: ErrorCodes = {
  wrongPassword: ['28P01'],
  wrongAddress: ['28000'],
  noSuchDatabase: ['3D000'],
  noSuchTable: ['42P01'],
  denied: ['42501'],
  deniedElsewhere: [],
  withoutTls: [],
  starting: ['57P03'],
  tooManyConnections: ['53300'],
  outsideCharset: ['22021', '22P05'],
  outsideType: ['22P02', '22003', '22007', '22008'],
  writes: ['25006'],
};
