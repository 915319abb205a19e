export type {
  AccountFacts,
  MissingRight,
  Obstacle,
  OwnTable,
  RightsDialect,
  SqlGrants,
  SqlGrantsOptions,
  TableRights,
} from './dialect.ts';
export { type Verb, VERBS } from './dialect.ts';
export { merged, type NamedRights, ownTableRights, resourceRights } from './needed-rights.ts';
