export { createClient } from './client.ts';
export {
  type ErrorCode,
  type ErrorDetails,
  type FieldFault,
  LockstepError,
  type Outcome,
} from './errors.ts';
export type { ClientEvents } from './events.ts';
export type * from './types.ts';
export { ExactNumber, jsonText } from '@lockstep/shared/for-clients';
