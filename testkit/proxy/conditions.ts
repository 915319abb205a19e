/** What one direction of a link does to the bytes that pass it. Everything can change while connections are open. */
export interface Conditions {
  /** Every byte arrives this much later. */
  latencyMs: number;
  /** Up to this much more, evenly spread; bytes never overtake one another. */
  jitterMs: number;
  /** Null: as fast as the machine can. */
  bytesPerSecond: number | null;
  /** Bytes are passed on in pieces of at most `bytes`, with a pause after each. */
  slice: { bytes: number; pauseMs: number } | null;
  /** Nothing passes; what was sent is held and passes later, as after lost packets that are sent again. */
  stalled: boolean;
}

export const FAIR: Readonly<Conditions> = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: null,
  slice: null,
  stalled: false,
});

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down';
export const DIRECTIONS: readonly Direction[] = ['up', 'down'];
