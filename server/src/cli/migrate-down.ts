import { type Database, lossOf } from '../database/index.ts';
import { liveMembers } from '../routing/index.ts';
import { CliFailure } from './cli-failure.ts';
import { onDatabase, printMigrations } from './migrate.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

export interface MigrateDownOptions {
  /** Do not ask. */
  yes: boolean;
  /** Go on although coordinators run. */
  whileRunning: boolean;
}

/** Migrations without which nobody knows who runs. */
const MEMBERS = '0005_routing';

/**
 * Takes back the newest migration of Lockstep's own tables: tells what is lost, and asks.
 * @throws CliFailure where coordinators run, or where nobody said yes
 */
export async function runMigrateDown(
  options: CommonOptions & MigrateDownOptions,
  ports: CliPorts,
): Promise<void> {
  await onDatabase(options, ports, async (database) => {
    const { applied } = await database.migrations.status();
    const newest = applied.at(-1);
    if (newest === undefined) return printMigrations('reverted', [], options, ports);
    if (!options.whileRunning) await refuseWhileRunning(database, applied);
    if (!options.yes) await confirm(newest, ports);
    printMigrations('reverted', await database.migrations.down(), options, ports);
  });
}

async function refuseWhileRunning({ sql }: Database, applied: readonly string[]): Promise<void> {
  const members = applied.includes(MEMBERS) ? await liveMembers(sql) : [];
  if (members.length === 0) return;
  const names = members.map(({ instance, url }) => `${instance} (${url})`).join(', ');
  throw new CliFailure(
    `coordinators run on this database: ${names}; stop them first (one that died is counted for routing.expiry more), or say --while-running: their writes fail then`,
  );
}

async function confirm(newest: string, { ask }: CliPorts): Promise<void> {
  const loss = `${newest} is taken back. Lost: ${lossOf(newest) ?? 'what its tables hold'}.`;
  if (ask === null) throw new CliFailure(`${loss} Say --yes to do it without a terminal.`);
  const answer = await ask(`${loss}\nType yes to go on: `);
  if (answer.trim().toLowerCase() !== 'yes') throw new CliFailure('nothing was taken back');
}
