/**
 * What brings a store from each version to the next; the first makes it out of an empty one. A change of the tables is
 * one more entry. An older verifier refuses a newer store.
 */
export function listMigrations(): readonly string[] {
  return [
    TABLES,
    EK_CERTIFICATES_AND_OPERATORS,
    BOOT_SESSIONS,
    PREDECESSORS_AND_CLOCK,
    USERSPACE_LOGS,
    MEASURED_FILES,
    EXTENDED_ENTRIES,
  ];
}

const USERSPACE_LOGS = 'ALTER TABLE boot_sessions ADD COLUMN userspace_log BLOB';

/** How many entries of a list extended PCR 10 was not counted before: it is replayed again. */
const EXTENDED_ENTRIES = `
DELETE FROM boot_sessions;
ALTER TABLE boot_sessions ADD COLUMN extended INTEGER NOT NULL DEFAULT 0;
`;

/** A head of before has no clock: the next evidence is not compared with it. */
const PREDECESSORS_AND_CLOCK = `
ALTER TABLE enrolled_keys ADD COLUMN predecessors TEXT NOT NULL DEFAULT '';
ALTER TABLE heads ADD COLUMN clock_ms INTEGER;
`;

/** Lists that were replayed before are replayed again, for the files in them. */
const MEASURED_FILES = `
DELETE FROM boot_sessions;

CREATE TABLE measured_sessions (
  ueid TEXT PRIMARY KEY REFERENCES kube_nodes (ueid),
  agent_root TEXT,
  known INTEGER NOT NULL,
  is_limited INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE measured_files (
  ueid TEXT NOT NULL REFERENCES kube_nodes (ueid),
  key BLOB NOT NULL,
  PRIMARY KEY (ueid, key)
) WITHOUT ROWID;

CREATE TABLE measured_agent_files (
  ueid TEXT NOT NULL REFERENCES kube_nodes (ueid),
  file TEXT NOT NULL,
  PRIMARY KEY (ueid, file)
) WITHOUT ROWID;
`;

const BOOT_SESSIONS = `
CREATE TABLE boot_sessions (
  ueid TEXT PRIMARY KEY REFERENCES kube_nodes (ueid),
  ak_name TEXT NOT NULL,
  reset_count INTEGER NOT NULL,
  restart_count INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  native BLOB NOT NULL,
  padded BLOB NOT NULL,
  violations INTEGER NOT NULL,
  aggregate INTEGER,
  outcome TEXT NOT NULL
) WITHOUT ROWID;
`;

const EK_CERTIFICATES_AND_OPERATORS = `
ALTER TABLE kube_nodes ADD COLUMN ek_certificates TEXT NOT NULL DEFAULT '';

CREATE TABLE operator_actions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  operator TEXT NOT NULL,
  action TEXT NOT NULL,
  ueid TEXT NOT NULL,
  label TEXT NOT NULL,
  reason TEXT NOT NULL,
  incidents TEXT NOT NULL
);
`;

/** Times are milliseconds since 1970 by the verifier's clock; digests are hex. */
const TABLES = `
CREATE TABLE kube_nodes (
  ueid TEXT PRIMARY KEY,
  label TEXT NOT NULL UNIQUE,
  ek_name TEXT NOT NULL UNIQUE,
  ek_public BLOB NOT NULL,
  enrolled_at INTEGER NOT NULL,
  last_good_at INTEGER,
  result_id INTEGER
) WITHOUT ROWID;

CREATE TABLE enrolled_keys (
  kid TEXT PRIMARY KEY,
  ueid TEXT NOT NULL UNIQUE REFERENCES kube_nodes (ueid),
  ak_public BLOB NOT NULL,
  signing_public BLOB NOT NULL,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE heads (
  ueid TEXT PRIMARY KEY REFERENCES kube_nodes (ueid),
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL,
  evidence_id TEXT NOT NULL,
  ak_name TEXT NOT NULL,
  reset_count INTEGER NOT NULL,
  restart_count INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE chains (
  ueid TEXT NOT NULL,
  chain TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (ueid, chain)
) WITHOUT ROWID;

CREATE TABLE evidence (
  ueid TEXT NOT NULL,
  evidence_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (ueid, evidence_id)
) WITHOUT ROWID;

CREATE TABLE incidents (
  ueid TEXT NOT NULL,
  code TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (ueid, code)
) WITHOUT ROWID;

CREATE TABLE standing (
  ueid TEXT PRIMARY KEY REFERENCES kube_nodes (ueid),
  token TEXT NOT NULL,
  received_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE contents (
  ueid TEXT NOT NULL,
  digest TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (ueid, digest)
) WITHOUT ROWID;

CREATE TABLE results (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  ueid TEXT NOT NULL,
  evidence_id TEXT NOT NULL,
  basis TEXT NOT NULL,
  appraised_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (evidence_id, basis)
);

CREATE TABLE current_containers (
  ueid TEXT NOT NULL,
  container TEXT NOT NULL,
  manifest TEXT,
  PRIMARY KEY (ueid, container)
) WITHOUT ROWID;
CREATE INDEX current_containers_by_id ON current_containers (container);
CREATE INDEX current_containers_by_manifest ON current_containers (manifest);

CREATE TABLE refs (
  digest TEXT PRIMARY KEY,
  envelope BLOB NOT NULL,
  predicate_type TEXT NOT NULL,
  subject_name TEXT NOT NULL,
  subject_digest TEXT NOT NULL,
  key_id TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  revoked_at INTEGER,
  revocation_reason TEXT
) WITHOUT ROWID;

CREATE TABLE ref_subjects (
  subject_digest TEXT NOT NULL,
  digest TEXT NOT NULL REFERENCES refs (digest),
  PRIMARY KEY (subject_digest, digest)
) WITHOUT ROWID;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
`;
