export type * from './port.ts';
export type { LogNames } from './dialect.ts';
export { changeLogFaults, createChangeSource, logNames, publicationFor } from './dialects.ts';
export { PositionStore } from './position-store.ts';
export { decodeLogged, neededColumns, type TableChanges, tablesOf } from './table-changes.ts';
export { ChangeLog, type ChangeLogOptions } from './service.ts';
