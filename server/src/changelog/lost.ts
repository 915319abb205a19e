/** What the stored position leads to is not in the log any more: `ChangeSource.open` must make a new beginning. */
export class ChangeLogLost extends Error {
  override readonly name = 'ChangeLogLost';
}
