-- +goose Up
-- What reviewers drew from a log, and what they found. seqs is a JSON list.
-- No index holds what they wrote. seq is the agency's entry of the drawing:
-- with it goes what a sample says of who drew it, and of what.
CREATE TABLE samples (
    id         TEXT    PRIMARY KEY,
    agency     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    owner      TEXT    NOT NULL,
    identity   TEXT    NOT NULL,
    officer    TEXT    NOT NULL,
    seed       TEXT    NOT NULL,
    query      TEXT    NOT NULL,
    begins     TEXT    NOT NULL,
    ends       TEXT    NOT NULL,
    stratum    TEXT    NOT NULL,
    through    INTEGER NOT NULL,
    population INTEGER NOT NULL,
    seqs       TEXT    NOT NULL,
    at         INTEGER NOT NULL
);

CREATE INDEX samples_of ON samples (agency, seq);

CREATE TABLE verdicts (
    sample   TEXT    NOT NULL,
    owner    TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    verdict  TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    identity TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (sample, seq)
);
CREATE INDEX verdicts_of ON verdicts (owner, seq);

-- +goose Down
DROP TABLE verdicts;
DROP TABLE samples;
