/**
 * Highest random weight ("rendezvous") hashing: each candidate has a weight for each key, and the one with the highest
 * gets the key: the coordinator that is the key's home, the group of lock nodes that has its lock. A candidate that
 * comes or goes moves only its own share of the keys.
 * Idea: Thaler and Ravishankar, Using Name-Based Mappings to Increase Hit Rates, 1998.
 */

/** 64 bits in two halves, because 64-bit integers are slow in JavaScript. */
export interface Hash64 {
  high: number;
  low: number;
}

/**
 * One half hashes the UTF-16 units with MurmurHash3's step, the other with FNV-1a's. It must be cheap, because each
 * call is hashed. It need not resist attackers: a caller that chooses keys can ask for their homes anyway.
 */
export function hash64(text: string): Hash64 {
  let high = 0;
  let low = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    const mixed = Math.imul(unit, 0xcc9e2d51);
    high ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    high = Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64;
    low = Math.imul(low ^ unit, 0x01000193);
  }
  return { high: scramble(high ^ text.length) >>> 0, low: scramble(low) >>> 0 };
}

/** Somebody who may get keys, with the hash that its weights are made of. */
export interface Candidate<T> {
  item: T;
  seed: Hash64;
}

/** @param identity of the candidate; must be the same on every coordinator */
export const candidate = <T>(item: T, identity: string): Candidate<T> => ({
  item,
  seed: hash64(identity),
});

/** The candidate with the highest weight for `key`, the first one if several have it; null if there is none. */
export function highest<T>(candidates: readonly Candidate<T>[], key: Hash64): T | null {
  let best: T | null = null;
  let bestHigh = -1;
  let bestLow = -1;
  for (const { item, seed } of candidates) {
    const { high, low } = weight(seed, key);
    if (high < bestHigh || (high === bestHigh && low <= bestLow)) continue;
    best = item;
    bestHigh = high;
    bestLow = low;
  }
  return best;
}

/** Combines two hashes. Three rounds over the halves make every bit of the weight depend on all bits of both. */
function weight(seed: Hash64, key: Hash64): Hash64 {
  let low = scramble(key.low ^ seed.high);
  let high = scramble(key.high ^ seed.low ^ low);
  low = scramble(low + Math.imul(high, 0x9e3779b1));
  high = scramble(high ^ low ^ seed.high);
  return { high: high >>> 0, low: low >>> 0 };
}

/** A bijection of 32 bits in which each input bit changes about half of the output's (constants: Wellons, 2018). */
function scramble(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a2d97);
  return x ^ (x >>> 15);
}
