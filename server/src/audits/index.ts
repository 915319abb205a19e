export type * from './port.ts';
export { createAuditStore } from './knex-audit-store.ts';
export { createAuditService } from './service.ts';
