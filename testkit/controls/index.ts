export type { BackDoor, CacheBackDoor, LockBackDoor } from './back-door.ts';
export { breakOne, type ControlTools } from './break-one.ts';
export { breakClient } from './break-client.ts';
export { breakLooks } from './break-looks.ts';
export {
  type ClientControl,
  type Control,
  CONTROLS,
  ENGINE_CONTROLS,
  type EngineControl,
  isClientControl,
  isControl,
  isEngineControl,
  isLocalControl,
} from './names.ts';
