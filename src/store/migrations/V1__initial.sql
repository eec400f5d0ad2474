CREATE TABLE deployment (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT    NOT NULL,
    log_size INTEGER NOT NULL   -- records of the audit log whose rows are applied
);

CREATE TABLE organizations (
    name            TEXT PRIMARY KEY,
    enrolling_roles TEXT    NOT NULL,   -- comma-separated
    create_time     INTEGER NOT NULL    -- nanoseconds since the Unix epoch, as all times here
) WITHOUT ROWID;

CREATE TABLE anchors (
    name         TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    certificate  BLOB NOT NULL,
    patterns     TEXT NOT NULL          -- ROLE:PATTERN lines
) WITHOUT ROWID;

CREATE TABLE registrations (
    name              TEXT PRIMARY KEY,
    role              TEXT NOT NULL,
    public_key_sha256 BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE keys (
    name            TEXT PRIMARY KEY,
    owner           TEXT    NOT NULL,
    purpose         TEXT    NOT NULL,
    algorithm       TEXT    NOT NULL,
    protection      TEXT    NOT NULL,
    "check"         TEXT    NOT NULL,
    labels          TEXT    NOT NULL,   -- a JSON object
    primary_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE key_versions (
    name        TEXT PRIMARY KEY,
    state       TEXT    NOT NULL,
    public_key  BLOB    NOT NULL,
    certificate BLOB,
    create_time INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE requests (
    principal   TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    hash        BLOB    NOT NULL,
    answer      BLOB,                   -- NULL while the request is being worked on
    create_time INTEGER NOT NULL,
    PRIMARY KEY (principal, method, id)
) WITHOUT ROWID;

CREATE INDEX requests_by_age ON requests (create_time);
