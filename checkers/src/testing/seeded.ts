/**
 * Numbers from 0 to 1 that depend only on the seed: Marsaglia's xorshift (2003), 32 bits. Not the testkit's
 * `SeededRandom`: the testkit starts the engine, and what judges the engine shares no code with it.
 */
export function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
