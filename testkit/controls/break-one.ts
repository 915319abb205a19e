import type { EnginePorts } from '../../server/src/coordinator/engine-ports.ts';
import type { Runtime } from '../../server/src/runtime/index.ts';
import type { BackDoor } from './back-door.ts';
import {
  acknowledgeBeforePublish,
  fillBlindly,
  letIntentsExpire,
  publishBlindly,
  skipIntents,
} from './broken-entries.ts';
import { answerCombinedEarly, resendUnknown } from './broken-combining.ts';
import { endGuardsWithoutFence } from './broken-guards.ts';
import { EarlierLoads } from './broken-single-flight.ts';
import { releaseWithoutOwner } from './broken-locks.ts';
import { clearWithoutFence, outboxOutsideTransaction, writeWithoutFence } from './broken-rows.ts';
import type { EngineControl } from './names.ts';

/** What a control works with besides the ports. */
export interface ControlTools {
  backDoor: BackDoor;
  /** Of the process whose ports these are. */
  runtime: Runtime;
}

/** The same ports with one protection broken; everything else stays whole. */
export function breakOne(
  control: EngineControl,
  ports: EnginePorts,
  tools: ControlTools,
): EnginePorts {
  switch (control) {
    case 'no-fence':
      return { ...ports, rows: writeWithoutFence(ports.rows) };
    case 'no-intent':
      return { ...ports, entries: skipIntents(ports.entries, tools.runtime) };
    case 'expiring-intent':
      return { ...ports, entries: letIntentsExpire(ports.entries, tools.backDoor.cache) };
    case 'blind-fill':
      return { ...ports, entries: fillBlindly(ports.entries, tools) };
    case 'blind-publish':
      return { ...ports, entries: publishBlindly(ports.entries, tools) };
    case 'ack-before-publish':
      return { ...ports, entries: acknowledgeBeforePublish(ports.entries, tools.runtime) };
    case 'outbox-outside-transaction':
      return { ...ports, rows: outboxOutsideTransaction(ports.rows, ports.outbox) };
    case 'release-without-owner':
      return { ...ports, lockNodes: releaseWithoutOwner(ports.lockNodes, tools.backDoor.locks) };
    case 'join-older-flight':
      return { ...ports, singleFlight: new EarlierLoads() };
    case 'clear-without-fence':
      return { ...ports, rows: clearWithoutFence(ports.rows) };
    case 'combine-acks-before-publish':
      return { ...ports, ...answerCombinedEarly(ports, tools.runtime) };
    case 'combine-resends-unknown':
      return { ...ports, rows: resendUnknown(ports.rows) };
    case 'rollback-clears-without-fence':
      return { ...ports, ...endGuardsWithoutFence(ports) };
  }
}
