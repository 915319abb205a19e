/** Why embedded servers could not be started: one line for the operator, with what to do about it. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
}
