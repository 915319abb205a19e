export type * from './port.ts';
export type { WriteParts, WriterOutbox } from './parts.ts';
export { Recovery } from './recovery.ts';
export { PolicyWriteService } from './write-service.ts';
