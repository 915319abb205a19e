import type { IncomingMessage, ServerResponse } from 'node:http';
import { LockstepError } from '../domain/index.ts';
import type { Member, Router } from '../routing/index.ts';
import type { Answer } from './answer.ts';
import type { Call, EndpointFrame } from './endpoint.ts';
import { keyAsJson, type Operations } from './operations.ts';
import { splitUrl } from './resource-route.ts';

const PATH = '/v1/routing';
const ALLOW = 'GET, HEAD';

/**
 * `/v1/routing`: who the members are; `/v1/routing/{resource}/{key}`: which one is home for a key. On the raw request
 * line, because a key's parts must still be percent-encoded when they are split.
 */
export class RoutingRoute {
  readonly #operations: Operations;
  readonly #frame: EndpointFrame;
  readonly #router: Router;

  constructor(operations: Operations, frame: EndpointFrame, router: Router) {
    this.#operations = operations;
    this.#frame = frame;
    this.#router = router;
  }

  /** Answers where the request is of this route, and says whether it is. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { path } = splitUrl(request.url ?? '');
    if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
    void this.#frame.serve(request, response, 'service', (_request, call) =>
      Promise.resolve().then(() => this.#answer(request, path, call)),
    );
    return true;
  }

  #answer({ method = '' }: IncomingMessage, path: string, { requestId }: Call): Answer {
    if (!['GET', 'HEAD'].includes(method)) return this.#frame.methodNotAllowed(ALLOW, requestId);
    const [resource, key, ...rest] = path.slice(PATH.length + 1).split('/');
    if (resource === undefined || resource === '') return this.#members();
    if (key === undefined || rest.length > 0) {
      throw new LockstepError(
        'NOT_FOUND',
        'The path must be /v1/routing or /v1/routing/{resource}/{key}; a slash in a key is %2F.',
      );
    }
    return this.#homeOf(resource, key);
  }

  #members(): Answer {
    const { instance, mode } = this.#router;
    const members = this.#router.members().map((member) => ({
      instance: member.instance,
      url: member.url,
      self: member.isSelf,
      leaving: member.isLeaving,
      seenAgoMs: member.seenAgoMs,
      upMs: member.upMs,
    }));
    return { status: 200, body: { instance, mode, members } };
  }

  #homeOf(resource: string, segment: string): Answer {
    const key = this.#operations.keyInPath(resource, segment);
    const home = this.#router.homeOf(key);
    const body = {
      resource: key.resource.name,
      key: keyAsJson(key),
      home: home === null ? null : placeOf(home),
      self: home?.isSelf ?? false,
    };
    return { status: 200, body };
  }
}

const placeOf = ({ instance, url }: Member): { instance: string; url: string } => ({
  instance,
  url,
});
