/** The log no longer has what follows the stored position: `ChangeSource.open` must begin anew. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
