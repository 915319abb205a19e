import { scriptsOf } from '../index.ts';
import lockstep from './0001_lockstep.sql?raw';
import audits from './0002_audits.sql?raw';
import changelog from './0003_changelog.sql?raw';
import policies from './0004_policies.sql?raw';
import routing from './0005_routing.sql?raw';
import rowTags from './0006_row_tags.sql?raw';
import sharedRows from './0007_shared_rows.sql?raw';
import sharedServers from './0008_shared_servers.sql?raw';
import pruning from './0010_pruning.sql?raw';
import cluster from './0011_cluster.sql?raw';
import invalidate from './0012_invalidate.sql?raw';
import guard from './0013_guard.sql?raw';
import capture from './0014_capture.sql?raw';
import followed from './0015_followed.sql?raw';
import apiKeys from './0016_api_keys.sql?raw';

export const mysqlScripts = scriptsOf({
  '0001_lockstep': lockstep,
  '0002_audits': audits,
  '0003_changelog': changelog,
  '0004_policies': policies,
  '0005_routing': routing,
  '0006_row_tags': rowTags,
  '0007_shared_rows': sharedRows,
  '0008_shared_servers': sharedServers,
  '0010_pruning': pruning,
  '0011_cluster': cluster,
  '0012_invalidate': invalidate,
  '0013_guard': guard,
  '0014_capture': capture,
  '0015_followed': followed,
  '0016_api_keys': apiKeys,
});
