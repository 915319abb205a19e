/**
 * Why a server cannot be used, in plain words. One table for databases and Redis, because each driver has its own
 * codes for the same causes.
 */
import { withoutCredentials } from '../config/index.ts';
import { chainOf, codeOf, type ErrorCodes } from '../database/index.ts';
import { DIALECTS } from '../dialects/index.ts';
import { isClusterUrl, isSentinelUrl, parseClusterUrl, parseSentinelUrl } from '../redis/index.ts';
import type { CheckResult } from './check-result.ts';

export interface ConnectionCause {
  /** Follows the path of a field: `refuses the user or the password (28P01)`. */
  words: string;
  /** Waiting may help, because the server may not be up yet or be away for a moment. */
  mayPass: boolean;
}

interface Cause extends ConnectionCause {
  /** Codes of Node or of a database, or the first word of an error reply of Redis. */
  codes: readonly string[];
  /** Matches the driver's message, if no code shows the cause. */
  text?: RegExp | undefined;
}

const causes =
  (mayPass: boolean) =>
  (codes: readonly string[], words: string, text?: RegExp): Cause => ({
    ...{ codes, words, mayPass, text },
  });
/** The codes of all databases for this cause. */
const of = (cause: keyof ErrorCodes): string[] =>
  Object.values(DIALECTS).flatMap(({ codes }) => codes[cause]);
const absent = causes(true);
const wrong = causes(false);

/**
 * The first cause that matches counts, so one that is recognized by a more specific text comes before a general code.
 */
const CAUSES: readonly Cause[] = [
  wrong(
    ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    'has a certificate that has expired or is not valid yet',
    /certificate has expired|certificate is not yet valid/i,
  ),
  wrong(
    ['ERR_TLS_CERT_ALTNAME_INVALID'],
    'has a certificate for another host name',
    /altnames|does not match certificate/i,
  ),
  wrong(
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    ],
    'has a certificate that is not trusted here (tls.ca beside the URL names the authorities)',
    /self[- ]signed certificate|unable to (verify|get)/i,
  ),
  wrong(
    [
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
      'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    ],
    'wants a client certificate, or does not trust the one that it got (tls.cert and tls.key)',
    /certificate required|valid client certificate|alert (unknown ca|bad certificate|certificate unknown|handshake failure)/i,
  ),
  wrong(
    ['HANDSHAKE_NO_SSL_SUPPORT', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'],
    'does not speak TLS, which the URL asks for',
    /does not support (ssl|secure)|wrong version number/i,
  ),
  wrong(
    of('withoutTls'),
    'accepts connections with TLS only, and the URL asks for none',
    /no encryption|insecure transport|ssl off/i,
  ),
  wrong(
    [...of('wrongPassword'), 'WRONGPASS', 'ERR_AUTH'],
    'refuses the user or the password',
    /called without any password|invalid password/i,
  ),
  wrong(['NOAUTH'], 'asks for a password, and the URL has none'),
  wrong(of('wrongAddress'), 'refuses this user from this address'),
  wrong(of('noSuchDatabase'), 'has no such database'),
  wrong([...of('denied'), 'NOPERM'], 'does not let this user in: a right is missing'),
  wrong(['ERR_DB'], 'has no database of this number', /db index is out of range/i),
  absent(['ECONNREFUSED'], 'does not answer: the connection is refused'),
  absent(['ENOTFOUND', 'EAI_AGAIN'], 'does not answer: its host name is not known'),
  absent(
    ['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
    'does not answer: there is no route to its address',
  ),
  absent([...of('starting'), 'LOADING', 'MASTERDOWN'], 'is starting up or shutting down'),
  absent(of('tooManyConnections'), 'has no connection left'),
  absent(
    ['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST'],
    'closes the connection at once (a port of another service, or one that wants TLS or a client certificate?)',
    /connection (is|was) closed|connection terminated unexpectedly|socket hang up/i,
  ),
  absent(['ETIMEDOUT', 'NO_ANSWER'], 'does not answer in time', /time(d )?[ -]?out/i),
];

/** The cause of a driver's error, which may be wrapped in one of Lockstep's. Contains no secret of `url`. */
export function causeOf(error: unknown, url: string): ConnectionCause {
  const chain = chainOf(error);
  for (const inner of [...chain].reverse()) {
    const code = codeOf(inner);
    const found = CAUSES.find(
      ({ codes, text }) =>
        (code !== null && codes.includes(code)) || text?.test(inner.message) === true,
    );
    if (found !== undefined) return described(found, code, inner, url);
  }
  const last = chain.at(-1);
  const words = `does not answer: ${withoutSecrets(firstLine(last?.message ?? String(error)), url)}`;
  return { words, mayPass: true };
}

/**
 * The fault of a server that cannot be used at `path`; it is `absent` if waiting may help.
 * @param subject which server, with a space after it, if the path alone does not say so
 */
export function unusable(
  error: unknown,
  url: string,
  path: string,
  allowed: string,
  subject = '',
): Partial<CheckResult> {
  const { words, mayPass } = causeOf(error, url);
  const fault = { path, message: `${subject}${words}; allowed: ${allowed}` };
  return mayPass ? { absent: [fault] } : { faults: [fault] };
}

/** A driver's text without the password of `url`, and without those in other URLs. */
export function withoutSecrets(text: string, url: string): string {
  const cleaned = withoutCredentials(text);
  const secrets = passwordsOf(url).filter((secret) => secret.length > 0);
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), cleaned);
}

function described(
  { words, mayPass }: Cause,
  code: string | null,
  inner: Error,
  url: string,
): ConnectionCause {
  // The first line of the server's message is enough. For a network error the code is.
  const isNetworks = code !== null && /^E[A-Z]/.test(code);
  const detail = isNetworks ? code : withoutSecrets(firstLine(inner.message), url);
  return { words: `${words} (${detail})`, mayPass };
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

function passwordsOf(url: string): string[] {
  try {
    if (isSentinelUrl(url)) {
      const { password, ofSentinels } = parseSentinelUrl(url);
      return [password ?? '', ofSentinels.password ?? ''];
    }
    if (isClusterUrl(url)) return [parseClusterUrl(url).password ?? ''];
    const { password } = new URL(url);
    return [password, decodeURIComponent(password)];
  } catch {
    return [];
  }
}
