export { Switching } from './service.ts';
export { createSwitchStore } from './store.ts';
