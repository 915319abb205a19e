/**
 * The rows that the callers write, and the ground truth: a trigger notes every committed change of them in `changes`,
 * in order, from any program, and independent of Lockstep's own record. `writer` is the caller's mark, unique for each request.
 */
const TABLES = ['accounts', 'tickets', 'profiles'];

export const FAULT_TABLES_SQL = `
CREATE TABLE changes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_name text NOT NULL,
  id bigint NOT NULL,
  n bigint,
  writer text
);
CREATE INDEX changes_of_row ON changes (table_name, id, seq);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO changes (table_name, id) VALUES (TG_TABLE_NAME, OLD.id);
  ELSE
    INSERT INTO changes (table_name, id, n, writer) VALUES (TG_TABLE_NAME, NEW.id, NEW.n, NEW.writer);
  END IF;
  RETURN NULL;
END
$$;
${TABLES.map(
  (table) => `
CREATE TABLE ${table} (
  id bigint PRIMARY KEY,
  n bigint NOT NULL,
  writer text NOT NULL,
  CONSTRAINT ${table}_n_floor CHECK (n >= 0)
);
CREATE TRIGGER ${table}_noted AFTER INSERT OR UPDATE OR DELETE ON ${table}
  FOR EACH ROW EXECUTE FUNCTION note_change();`,
).join('\n')}
`;

/** Strict with the value in the cache, strict with a tombstone, and the default policy. */
export const FAULT_RESOURCES = {
  account: { table: 'accounts', policy: 'strict', onWrite: 'set' },
  ticket: { table: 'tickets', policy: 'strict', onWrite: 'delete' },
  profile: { table: 'profiles', policy: 'delete-after-write', onWrite: 'set' },
} as const;

export type FaultResource = keyof typeof FAULT_RESOURCES;
export const RESOURCE_NAMES = Object.keys(FAULT_RESOURCES) as FaultResource[];
