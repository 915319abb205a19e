export type * from './port.ts';
export { SqlAuditStore } from './sql-audit-store.ts';
export { Audits } from './service.ts';
export { scanResource, type ScanReport } from './scan.ts';
