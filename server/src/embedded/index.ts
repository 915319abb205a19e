export { claimDataDir, type DataDirClaim } from './claim.ts';
export { findFreePort } from './free-port.ts';
export {
  readRuntimeFile,
  removeRuntimeFile,
  writeRuntimeFile,
  type RuntimeInfo,
} from './runtime-file.ts';
export {
  startEmbedded,
  type EmbeddedOptions,
  type EmbeddedProcess,
  type EmbeddedServers,
} from './start.ts';
