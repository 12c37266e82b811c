-- +goose Up
-- Times are Unix milliseconds, 0 is no time. Digests are base64url as on the
-- wire. No index holds personal text: page splits leave copies behind.

CREATE TABLE heads (
    size INTEGER PRIMARY KEY,
    root BLOB    NOT NULL,
    at   INTEGER NOT NULL
);

-- Stored hashes of the tree (tlog.StoredHashIndex), many in a row: the first
-- one's index, and the hashes one after the other.
CREATE TABLE hashes (
    first  INTEGER PRIMARY KEY,
    hashes BLOB    NOT NULL
);

CREATE TABLE entries (
    idx        INTEGER PRIMARY KEY,
    owner      TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    commitment BLOB    NOT NULL,
    salt       BLOB,
    entry      BLOB,
    UNIQUE (owner, seq)
);

CREATE TABLE registry (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO registry (one, version) VALUES (1, 0);

CREATE TABLE agencies (
    id           TEXT    PRIMARY KEY,
    jurisdiction TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    competences  TEXT    NOT NULL,
    suspended    INTEGER NOT NULL
);

CREATE TABLE keys (
    kid         TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL,
    use         TEXT    NOT NULL,
    jwk         BLOB    NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    compromised INTEGER NOT NULL
);

-- What changes lies in packages, what is large and never changes in parts:
-- a new state does not write the parts again. idx is the ledger's index of
-- the acceptance.
CREATE TABLE packages (
    idx             INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    sender          TEXT    NOT NULL,
    type            TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    manifest_sha256 TEXT    NOT NULL,
    payload         TEXT    NOT NULL,
    content_sha256  TEXT    NOT NULL,
    content_size    INTEGER NOT NULL,
    content_blob    TEXT    NOT NULL,
    attachments     TEXT    NOT NULL,
    accepted_at     INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    seq             INTEGER NOT NULL
);
CREATE INDEX packages_outbox ON packages (sender, seq);
CREATE INDEX packages_blobs ON packages (idx) WHERE content_blob <> '' OR attachments <> '';

CREATE TABLE parts (
    idx       INTEGER PRIMARY KEY,
    manifest  BLOB NOT NULL,
    statement BLOB NOT NULL,
    answer    BLOB NOT NULL,
    content   BLOB
);

-- The check that the package exists is made at commit.
CREATE TABLE deliveries (
    package   TEXT    NOT NULL REFERENCES packages (id) DEFERRABLE INITIALLY DEFERRED,
    recipient TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    decision  TEXT    NOT NULL,
    due_at    INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    idx       INTEGER NOT NULL,
    PRIMARY KEY (package, recipient)
) WITHOUT ROWID;
CREATE INDEX deliveries_inbox ON deliveries (recipient, seq) WHERE seq > 0;

CREATE TABLE decisions (
    id           TEXT    PRIMARY KEY,
    package      TEXT    NOT NULL,
    recipient    TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    input_sha256 TEXT    NOT NULL,
    shared       TEXT    NOT NULL,
    verdict      BLOB    NOT NULL,
    own          BLOB    NOT NULL
);

CREATE TABLE inputs (
    sha256 TEXT PRIMARY KEY,
    input  BLOB NOT NULL
);

CREATE TABLE acknowledgements (
    package   TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    jws       BLOB    NOT NULL,
    payload   TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    idx       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (package, recipient)
);

CREATE TABLE consultations (
    id            TEXT    PRIMARY KEY,
    agency        TEXT    NOT NULL,
    identity      TEXT    NOT NULL,
    officer       TEXT    NOT NULL,
    justification TEXT    NOT NULL,
    case_ref      TEXT    NOT NULL,
    package       TEXT    NOT NULL,
    expires       INTEGER NOT NULL
);

CREATE TABLE revisions (
    digest       TEXT    PRIMARY KEY,
    kind         TEXT    NOT NULL,
    jurisdiction TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    at           INTEGER NOT NULL
);

-- +goose Down
DROP TABLE revisions;
DROP TABLE consultations;
DROP TABLE acknowledgements;
DROP TABLE inputs;
DROP TABLE decisions;
DROP TABLE deliveries;
DROP TABLE parts;
DROP TABLE packages;
DROP TABLE keys;
DROP TABLE agencies;
DROP TABLE registry;
DROP TABLE entries;
DROP TABLE hashes;
DROP TABLE heads;
