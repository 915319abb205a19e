import type { Process, Property } from './process.ts';

/** How far the explorer goes. Within these bounds it leaves nothing out. */
export interface Bounds {
  /** Writers, one write each: 1 to 4. */
  writers: number;
  /** Readers, one read each. */
  readers: number;
  /** How often each kind of fault of the strategy may happen. */
  faults: number;
  /** Recoveries of an abandoned intent. */
  recoveries: number;
  /** States after which the explorer gives up, and says so. */
  maxStates: number;
}

/** A documented weakness of a strategy, and what exploring must find if it exists. */
export interface Weakness {
  words: string;
  property: Property;
  /** The faults that it takes. */
  faults: readonly string[];
}

export interface Strategy {
  /** For the command line. */
  name: string;
  /** As the articles call it. */
  title: string;
  /** What it does, in a sentence. */
  description: string;
  bounds: Bounds;
  /** What the cache holds at first; where it says `either`, both are explored. */
  cache: 'cached' | 'empty' | 'either';
  /** Faults that may happen at most `bounds.faults` times each. Every other fault may happen at any moment. */
  faults: readonly string[];
  processes: (bounds: Bounds) => Process[];
  /** What is known to be weak in it. The explorer does not look here. */
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
