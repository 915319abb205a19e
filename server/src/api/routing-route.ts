import type { IncomingMessage, ServerResponse } from 'node:http';
import { keyAsJson, LockstepError } from '../domain/index.ts';
import type { Member, Router } from '../routing/index.ts';
import type { Answer } from './answer.ts';
import {
  type ApiServices,
  type EndpointCall,
  type PathEndpoints,
  servePath,
  splitUrl,
} from './endpoint.ts';

const PREFIX = '/v1/routing';

type Plain = EndpointCall<undefined, undefined>;

/** Who the members are. */
export function answerMembers({ options }: ApiServices): Answer {
  const { instance, mode } = options.routing;
  const members = options.routing.members().map((member) => ({
    instance: member.instance,
    url: options.routing.shownUrl(member),
    self: member.isSelf,
    leaving: member.isLeaving,
    seenAgoMs: member.seenAgoMs,
    upMs: member.upMs,
  }));
  return { status: 200, body: { instance, mode, members } };
}

/** Which member is home for a key. */
export function answerHome({ options, operations }: ApiServices, call: Plain): Answer {
  const key = operations.keyInPath(call.param('resource'), call.param('key'));
  const home = options.routing.homeOf(key);
  const body = {
    resource: key.resource.name,
    key: keyAsJson(key),
    home: home === null ? null : placeOf(home, options.routing),
    self: home?.isSelf ?? false,
  };
  return { status: 200, body };
}

const placeOf = (
  home: Member,
  router: Pick<Router, 'shownUrl'>,
): { instance: string; url: string } => ({
  instance: home.instance,
  url: router.shownUrl(home),
});

/**
 * Finds the endpoints of `/v1/routing` on the raw request line, because a key's parts must still be percent-encoded when
 * they are split. The route returns false for every other request.
 */
export function routingRoute(
  api: ApiServices,
  members: PathEndpoints,
  home: PathEndpoints,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const { path } = splitUrl(request.url ?? '');
    if (path !== PREFIX && !path.startsWith(`${PREFIX}/`)) return false;
    const [resource = '', key, ...rest] = path.slice(PREFIX.length + 1).split('/');
    const at = resource === '' ? members : home;
    void servePath(api, at, request, response, () => {
      if (at === members || (key !== undefined && rest.length === 0)) return { resource, key };
      throw new LockstepError(
        'NOT_FOUND',
        'The path must be /v1/routing or /v1/routing/{resource}/{key}; a slash in a key is %2F.',
      );
    });
    return true;
  };
}
