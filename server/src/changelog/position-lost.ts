/** The log no longer continues from the stored position: `ChangeSource.open` must begin at the log's end. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
