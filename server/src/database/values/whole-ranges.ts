const signed = (bits: bigint) => ({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n });
const unsigned = (bits: bigint) => ({ min: 0n, max: 2n ** bits - 1n });

/** Inclusive bounds of the whole-number types, by the database's names of them. */
export const WHOLE_RANGES: Record<string, { min: bigint; max: bigint }> = {
  int2: signed(16n),
  int4: signed(32n),
  int8: signed(64n),
  tinyint: signed(8n),
  smallint: signed(16n),
  mediumint: signed(24n),
  int: signed(32n),
  bigint: signed(64n),
  'tinyint unsigned': unsigned(8n),
  'smallint unsigned': unsigned(16n),
  'mediumint unsigned': unsigned(24n),
  'int unsigned': unsigned(32n),
  'bigint unsigned': unsigned(64n),
  year: { min: 0n, max: 2155n },
};
