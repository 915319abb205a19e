import { detailOf, logPosition, rankOf, type LogPosition } from '../../domain/index.ts';
import { statementsOf } from '../../database/index.ts';
import type { PositionDialect, ReplicaDialect } from '../../replicas/index.ts';
import statements from './sql/replica-positions.sql?raw';

const SQL = statementsOf('pg', statements, ['primary', 'replica', 'primary-identity']);

const POSITION = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})(?:@([0-9A-F]{8}))?$/i;

/**
 * PostgreSQL: the rank is the byte of the write-ahead log, the detail its timeline. After a failover, a standby may
 * have replayed more of the old timeline than the new primary kept. It lacks what the new primary commits, so a standby
 * on an earlier timeline has reached no position of a later one.
 */
export const pgPositions: PositionDialect = {
  primary: SQL.primary,
  replica: SQL.replica,
  identity: SQL['primary-identity'],
  parse,
  hasReached: (text, needed) => {
    const at = parse(text);
    return at !== null && rankOf(at) >= rankOf(needed) && timelineOf(at) >= timelineOf(needed);
  },
  isAhead: (text, primary) => {
    const at = parse(text);
    return at !== null && (rankOf(at) > rankOf(primary) || timelineOf(at) > timelineOf(primary));
  },
  // A standby is a copy of its primary and has the same identifier.
  identityFault: (primary, replica) =>
    primary === replica ? null : 'it is a standby of another system',
};

export const pgReplicas: ReplicaDialect = {
  positions: () => Promise.resolve(pgPositions),
  primaryNeeds: 'its log',
};

function parse(text: string): LogPosition | null {
  const [, high, low, timeline] = POSITION.exec(text) ?? [];
  if (high === undefined || low === undefined) return null;
  const rank = (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
  return logPosition(rank, timeline === undefined ? undefined : String(Number(`0x${timeline}`)));
}

/** The position's timeline; 0 if it has none. */
function timelineOf(position: LogPosition): number {
  const timeline = Number(detailOf(position));
  return Number.isInteger(timeline) ? timeline : Infinity;
}
