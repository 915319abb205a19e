export type * from './port.ts';
export { AbandonedIntents } from './abandoned-intents.ts';
export { CachedReadService } from './read-service.ts';
export { SingleFlight } from './single-flight.ts';
