/** Marsaglia's xorshift (2003), 32 bits: numbers from 0 to 1 that hang on the seed alone. */
export function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
