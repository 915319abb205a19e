import account from './account.sql?raw';
import audits from './audits.sql?raw';
import calls from './calls.sql?raw';
import capture from './capture.sql?raw';
import changeLogPosition from './change-log-position.sql?raw';
import guards from './guards.sql?raw';
import leaders from './leaders.sql?raw';
import members from './members.sql?raw';
import names from './names.sql?raw';
import operations from './operations.sql?raw';
import outbox from './outbox.sql?raw';
import policies from './policies.sql?raw';
import refreshes from './refreshes.sql?raw';
import relations from './relations.sql?raw';
import sharedServers from './shared-servers.sql?raw';

/** The texts that this database has of the statements of every capability. */
export const sqlFiles = {
  account,
  audits,
  calls,
  capture,
  'change-log-position': changeLogPosition,
  guards,
  leaders,
  members,
  names,
  operations,
  outbox,
  policies,
  refreshes,
  relations,
  'shared-servers': sharedServers,
} as const;
