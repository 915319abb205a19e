/** Why embedded servers could not be started, in one line for the operator that says what to do. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
}
