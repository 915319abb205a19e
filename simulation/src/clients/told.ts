import { LockstepError as ClientError } from '../../../client/src/errors.ts';
import { LockstepError } from '../../../server/src/domain/index.ts';
import { Unanswered } from '../world/network.ts';
import type { Told } from './client-history.ts';

/** What a caller is told by an answer, or by its failure. */
export async function toldBy<T>(answer: Promise<T>): Promise<Told<T>> {
  try {
    return { status: 'ok', answer: await answer };
  } catch (error) {
    if (error instanceof Unanswered) {
      return error.why === 'refused'
        ? { status: 'failed', code: 'REFUSED' }
        : { status: 'unknown', code: 'NO_ANSWER' };
    }
    if (!(error instanceof LockstepError) && !(error instanceof ClientError)) throw error;
    const { code, outcome } = error;
    return outcome === 'unknown' ? { status: 'unknown', code } : { status: 'failed', code };
  }
}
