export type * from './port.ts';
export { createPositionStore } from './knex-position-store.ts';
export { logNames, type LogNames } from './log-names.ts';
export { createMysqlChangeSource } from './mysql-change-source.ts';
export { createPgChangeSource } from './pg-change-source.ts';
export { changeLogFaults } from './requirements.ts';
export { createChangeLog } from './service.ts';
