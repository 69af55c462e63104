/** The tables of the embedded store. Times are milliseconds since the Unix epoch; documents are JSON. */

/** Written into the file; a file of a later version is refused, of an earlier one migrated. */
export const SCHEMA_VERSION = 2;

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS tenants (
  tenant_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS api_keys (
  tenant_id TEXT NOT NULL REFERENCES tenants ON DELETE CASCADE,
  key_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (tenant_id, key_id)
) STRICT, WITHOUT ROWID;

-- Outlives its tenant: the epoch must not start again.
CREATE TABLE IF NOT EXISTS key_rings (
  tenant_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS sessions (
  tenant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_reason TEXT,
  document TEXT NOT NULL,
  PRIMARY KEY (tenant_id, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (tenant_id, user_id, created_at_ms);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at_ms);

-- How many sessions are counted as live until then; see sessions/live-count.ts.
CREATE TABLE IF NOT EXISTS live_sessions (
  tenant_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  sessions INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, epoch, until_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS live_sessions_by_end ON live_sessions (until_ms);

-- Session ids and token ids that are refused before they expire.
CREATE TABLE IF NOT EXISTS blocklist (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
-- The audit: a chain for each tenant, which outlives it; trimmed by age and count.
CREATE TABLE IF NOT EXISTS audit_chains (
  tenant_id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  first INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
  tenant_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  -- What it is found by; null where it is not.
  user_id TEXT,
  session_id TEXT,
  action TEXT,
  document TEXT NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audit_by_user ON audit (tenant_id, user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_session ON audit (tenant_id, session_id, seq) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_action ON audit (tenant_id, action, seq) WHERE action IS NOT NULL;

-- The change feed; trimmed by expiry.
CREATE TABLE IF NOT EXISTS changes (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  announced_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS changes_by_expiry ON changes (expires_at_ms);
CREATE INDEX IF NOT EXISTS blocklist_by_expiry ON blocklist (expires_at_ms);
`;
