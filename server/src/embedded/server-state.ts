import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson, readIfThere, removeDrafts, writeFileAtomically } from './atomic-file.ts';

const stateSchema = z.object({
  /** The machine's run in which the servers were last started. */
  bootId: z.string(),
  /** True from just before the servers start until they have stopped cleanly. */
  running: z.boolean(),
  passwords: z.object({ database: z.string(), cache: z.string(), locks: z.string() }),
  /** The port of each server, by its name. A restart uses it again. */
  ports: z.record(z.string(), z.int().min(1).max(65_535)),
});

/** What embedded servers need to know from one start to the next. */
export type ServerState = z.infer<typeof stateSchema>;

/**
 * Reads `servers.json`, or creates a first state.
 * @returns `known: false` if the state is new; data from earlier starts may still exist.
 */
export async function readServerState(
  dataDir: string,
): Promise<{ state: ServerState; known: boolean }> {
  await removeDrafts(statePath(dataDir));
  const text = await readIfThere(statePath(dataDir));
  const state = stateSchema.safeParse(parseJson(text)).data;
  // The file is missing at the first start. If someone has damaged it, new passwords are set in the servers, and the
  // cache is emptied, because it is unknown whether the machine crashed while the cache ran.
  return state ? { state, known: true } : { state: firstState(), known: false };
}

/** Writes `servers.json` (mode 0600). */
export async function writeServerState(dataDir: string, state: ServerState): Promise<void> {
  await writeFileAtomically(statePath(dataDir), `${JSON.stringify(state, null, 2)}\n`);
}

function firstState(): ServerState {
  return {
    bootId: 'none',
    running: true,
    passwords: { database: newPassword(), cache: newPassword(), locks: newPassword() },
    ports: {},
  };
}

function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

function statePath(dataDir: string): string {
  return join(dataDir, 'servers.json');
}
