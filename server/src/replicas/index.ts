export type * from './port.ts';
export { type PositionDialect, positionText, type ReplicaDialect } from './dialect.ts';
export { identityOf } from './primary-positions.ts';
export { ReplicaSet, type ReplicaSetOptions } from './replica-set.ts';
