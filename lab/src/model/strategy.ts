import type { Process, Property } from './process.ts';

/** The bounds of an exploration. Within them the explorer leaves nothing out. */
export interface Bounds {
  /** Writers, one write each: 1 to 4. */
  writers: number;
  /** Readers, one read each. */
  readers: number;
  /** How often each kind of fault of the strategy may happen. */
  faults: number;
  /** Recoveries of an abandoned intent. */
  recoveries: number;
  /** The number of states after which the explorer gives up, which the report says. */
  maxStates: number;
}

/** A documented weakness of a strategy, and the property and faults by which an exploration must find it. */
export interface Weakness {
  words: string;
  property: Property;
  /** The faults that it needs. */
  faults: readonly string[];
}

export interface Strategy {
  /** For the command line. */
  name: string;
  /** The name that articles use. */
  title: string;
  /** What it does, in a sentence. */
  description: string;
  bounds: Bounds;
  /** What the cache holds at first. With `either`, both are explored. */
  cache: 'cached' | 'empty' | 'either';
  /** Faults that may happen at most `bounds.faults` times each. Every other fault may happen at any moment. */
  faults: readonly string[];
  processes: (bounds: Bounds) => Process[];
  /** Its documented weaknesses. The explorer does not use them. */
  weaknesses: readonly Weakness[];
}

/** The bounds of most strategies. */
export const USUAL_BOUNDS: Bounds = {
  writers: 2,
  readers: 2,
  faults: 1,
  recoveries: 0,
  maxStates: 5_000_000,
};
