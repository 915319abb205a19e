export { Switching } from './service.ts';
export { createSwitchStore, type SwitchRole } from './store.ts';
