/**
 * Whether a key's stored fence refuses a write: another holder has stored it since the write's own fence was given.
 * @param write `fence`: its own. `heldFences`: the fences of this holder; a stored fence that is none of them shows
 *   that another holder came in between
 */
export function isFencedOut(
  write: { fence?: number; heldFences?: readonly number[] },
  storedFence: number,
): boolean {
  if (write.fence !== undefined && storedFence >= write.fence) return true;
  return write.heldFences?.includes(storedFence) === false;
}
