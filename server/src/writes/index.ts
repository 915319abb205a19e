export type * from './port.ts';
export type { WriterOutbox, WriteServiceOptions } from './options.ts';
export { placeIntents, publishIntents, type RowIntents, withdrawIntents } from './intents.ts';
export { invalidatesOthers } from './row-write.ts';
export { Recovery } from './recovery.ts';
export {
  DerivedDelay,
  NO_REPLICAS,
  type ReplicaLag,
  type SecondDeleteDelay,
} from './second-delete-delay.ts';
export { PolicyWriteService } from './write-service.ts';
