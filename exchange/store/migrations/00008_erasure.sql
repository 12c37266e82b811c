-- +goose Up
-- What was erased, act by act. idx is the ledger's index of the entry that
-- tells of it, what names ids and numbers only.
CREATE TABLE erasures (
    idx      INTEGER PRIMARY KEY,
    owner    TEXT    NOT NULL,
    agency   TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    class    TEXT    NOT NULL,
    why      TEXT    NOT NULL,
    order_id TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX erasures_owner ON erasures (owner, idx);

CREATE TABLE erasure_orders (
    id      TEXT    PRIMARY KEY,
    owner   TEXT    NOT NULL,
    payload TEXT    NOT NULL,
    package TEXT    NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    through INTEGER NOT NULL,
    erased  INTEGER NOT NULL,
    kept    INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    done    INTEGER NOT NULL,
    idx     INTEGER NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX erasure_orders_open ON erasure_orders (idx) WHERE done = 0;

-- What must not be erased. No index holds value or reason.
CREATE TABLE holds (
    id       TEXT    PRIMARY KEY,
    owner    TEXT    NOT NULL,
    scope    TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    identity TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    released INTEGER NOT NULL
);

CREATE TABLE swept (
    what    TEXT    PRIMARY KEY,
    through INTEGER NOT NULL
);

-- The act that erased an entry, a package, or the package's content.
ALTER TABLE entries ADD COLUMN erased INTEGER;
ALTER TABLE packages ADD COLUMN erased INTEGER;
ALTER TABLE packages ADD COLUMN content_erased INTEGER;
ALTER TABLE packages ADD COLUMN erase_at INTEGER NOT NULL DEFAULT 0;
UPDATE packages SET erase_at = coalesce((SELECT unixepoch(json_extract(CAST(e.entry AS TEXT), '$.erase_by')) * 1000 FROM entries e
    WHERE e.idx = packages.idx AND json_valid(CAST(e.entry AS TEXT))), accepted_at + 94694400000);
CREATE INDEX decisions_package ON decisions (package);
CREATE INDEX packages_due ON packages (erase_at, idx) WHERE erased IS NULL;
ALTER TABLE packages ADD COLUMN content_at INTEGER NOT NULL DEFAULT 0;
UPDATE packages SET content_at = expires_at + 2592000000 WHERE expires_at > 0;
CREATE INDEX packages_lapse ON packages (content_at, idx) WHERE content_erased IS NULL;
CREATE INDEX entries_erased ON entries (owner, seq) WHERE erased IS NOT NULL;

-- +goose Down
DROP INDEX entries_erased;
DROP INDEX packages_lapse;
ALTER TABLE packages DROP COLUMN content_at;
DROP INDEX packages_due;
DROP INDEX decisions_package;
ALTER TABLE packages DROP COLUMN erase_at;
ALTER TABLE packages DROP COLUMN content_erased;
ALTER TABLE packages DROP COLUMN erased;
ALTER TABLE entries DROP COLUMN erased;
DROP TABLE swept;
DROP TABLE holds;
DROP TABLE erasure_orders;
DROP TABLE erasures;
