-- One table of states as the audit log has them, in place of one table for each kind. It is filled from the log at the
-- next start.
DROP TABLE organizations;
DROP TABLE anchors;
DROP TABLE registrations;
DROP TABLE keys;
DROP TABLE key_versions;

CREATE TABLE resources (
    name  TEXT PRIMARY KEY,
    type  TEXT NOT NULL,                -- e.g. chancery.state.v1.Key
    value BLOB NOT NULL                 -- a protobuf message of that type
) WITHOUT ROWID;

UPDATE deployment SET log_size = 0;

-- ENCLAVE keys, encrypted under keys of the token. They stand nowhere else.
CREATE TABLE wrapped_keys (
    version TEXT PRIMARY KEY,
    wrapped BLOB NOT NULL
) WITHOUT ROWID;

-- Who does the work that only one may do.
CREATE TABLE leases (
    name    TEXT PRIMARY KEY,
    holder  TEXT    NOT NULL,
    expires INTEGER NOT NULL            -- nanoseconds since the Unix epoch
) WITHOUT ROWID;
