export type * from './port.ts';
export { dialectOf } from './dialects.ts';
export { type PositionDialect, positionText } from './dialect.ts';
export { identityOf } from './primary-positions.ts';
export { ReplicaSet, type ReplicaSetOptions } from './replica-set.ts';
