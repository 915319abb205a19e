import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DIALECTS } from '../dialects/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers, withResources } from './servers.ts';
import { typeDeclarations } from './type-declarations.ts';

export interface TypesCommandOptions {
  /** The file to write; absent: the declarations are printed. */
  out?: string;
}

/** Writes the TypeScript declarations of the configured resources for `@lockstep/client`. */
export async function runTypes(
  options: CommonOptions & TypesCommandOptions,
  ports: CliPorts,
): Promise<void> {
  const { config, urls } = await configuredServers(options, ports);
  if (urls.database === null) {
    throw new CliFailure(
      `the embedded database in ${options.dataDir} does not run; start it first`,
    );
  }
  await withResources(config, urls.database, ports, async ({ resources }) => {
    const text = typeDeclarations(resources, DIALECTS[config.database.client].holds);
    if (options.out === undefined) return ports.out(options.json ? JSON.stringify({ text }) : text);
    const file = resolve(ports.cwd, options.out);
    await writeFile(file, text);
    const report = { file, resources: resources.map(({ name }) => name) };
    ports.out(options.json ? JSON.stringify(report) : `${file}: ${resources.length} resource(s)`);
  });
}
