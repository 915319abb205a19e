/** Log positions stand in entries and tokens, which readers of entries know too: see `shared`. */
export {
  covers,
  detailOf,
  isLogPosition,
  justBefore,
  laterPosition,
  type LogPosition,
  logPosition,
  rankOf,
  UNKNOWN_POSITION,
} from '@lockstep/shared';
