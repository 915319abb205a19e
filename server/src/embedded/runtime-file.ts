import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson, readIfThere, removeDrafts, writeFileAtomically } from './atomic-file.ts';
import { identityOf } from './processes.ts';

const runtimeInfoSchema = z.looseObject({
  url: z.string(),
  pid: z.int().positive(),
  databaseUrl: z.string(),
  cacheUrl: z.string(),
  lockUrls: z.array(z.string()),
  adminToken: z.string(),
  serviceToken: z.string(),
  processes: z.array(z.object({ name: z.string(), pid: z.int(), port: z.int() })),
});

/** The content of `runtime.json`: the running instance's address, URLs, tokens and processes. */
export type RuntimeInfo = z.infer<typeof runtimeInfoSchema>;

/** Writes `runtime.json` (mode 0600) in one step, replacing an earlier one. Call again whenever a process changes. */
export async function writeRuntimeFile(dataDir: string, info: RuntimeInfo): Promise<void> {
  await writeFileAtomically(runtimePath(dataDir), `${JSON.stringify(info, null, 2)}\n`);
}

/**
 * The instance that runs in this data folder; undefined if none does, also if a killed instance left its file.
 * @throws Error when the file is there and cannot be read (its mode lets only its owner).
 */
export async function readRuntimeFile(dataDir: string): Promise<RuntimeInfo | undefined> {
  const text = await readIfThere(runtimePath(dataDir));
  const info = runtimeInfoSchema.safeParse(parseJson(text)).data;
  return info && identityOf(info.pid) !== undefined ? info : undefined;
}

/** Removes `runtime.json`: on a clean stop, and before a start, because a killed instance may have left it. */
export async function removeRuntimeFile(dataDir: string): Promise<void> {
  await rm(runtimePath(dataDir), { force: true });
  await removeDrafts(runtimePath(dataDir));
}

function runtimePath(dataDir: string): string {
  return join(dataDir, 'runtime.json');
}
