export { configText, hasSecret } from './config-text.ts';
export type * from './proposal.ts';
export { propose } from './propose.ts';
