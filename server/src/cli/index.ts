export type { CliPorts, StartOptions } from './ports.ts';
export { runCli } from './run-cli.ts';
