/** The header of requests and answers that carries what a caller has seen. */
export const TOKEN_HEADER = 'Lockstep-Token';
