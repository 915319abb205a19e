export { configText, hasSecret } from './config-text.ts';
export type * from './proposal.ts';
export type { NamedServers } from './raw-config.ts';
export { propose } from './propose.ts';
export type { ScanReport } from '../audits/index.ts';
export { scan, settingOf } from './scan.ts';
