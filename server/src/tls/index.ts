/** How connections to databases and Redis are encrypted. Knows no other folder of the server. */
export { isUnchecked, redisTls, splitTls, tlsOptions, withTls } from './server-tls.ts';
export { parseTlsMode, TLS_MODES, type ServerTls, type TlsMode } from './server-tls.ts';
