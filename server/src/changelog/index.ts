export type * from './port.ts';
export type { ChangeLogDialect, LogNames } from './dialect.ts';
export {
  changeLogFaults,
  createChangeSource,
  logNames,
  publicationFor,
} from './log-of-database.ts';
export { PositionStore } from './position-store.ts';
export { decodeLogged, neededColumns, type TableChanges, tablesOf } from './table-changes.ts';
export { ChangeLog, type ChangeLogOptions } from './service.ts';
