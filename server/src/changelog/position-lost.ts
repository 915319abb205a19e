/** The log no longer has what follows the stored position: `ChangeSource.open` must begin anew. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}
