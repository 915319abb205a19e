export { Switching } from './service.ts';
export { SwitchStore, type SwitchRole } from './store.ts';
