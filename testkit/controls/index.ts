export type { BackDoor, CacheBackDoor, LockBackDoor } from './back-door.ts';
export { breakOne, type ControlTools } from './break-one.ts';
export { CONTROLS, isControl, type Control } from './names.ts';
