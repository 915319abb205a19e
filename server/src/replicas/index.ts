export type * from './port.ts';
export { dialectOf, positionText } from './dialect.ts';
export type { PositionDialect } from './position-dialect.ts';
export { identityOf } from './primary-positions.ts';
export { ReplicaSet, type ReplicaSetOptions } from './replica-set.ts';
