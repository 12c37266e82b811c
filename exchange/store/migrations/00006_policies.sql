-- +goose Up
-- Each activation of a jurisdiction's policy, or of "common"; the one with the
-- highest seq is in force. The sources lie in revisions.
CREATE TABLE activations (
    jurisdiction TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    inputs       TEXT    NOT NULL,
    how          TEXT    NOT NULL,
    back_to      INTEGER NOT NULL,
    signed       TEXT    NOT NULL,
    identities   TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (jurisdiction, seq)
);

-- Who asked for an activation that waits for others. voter is an identity, of
-- common a jurisdiction.
CREATE TABLE policy_votes (
    jurisdiction TEXT    NOT NULL,
    voter        TEXT    NOT NULL,
    proposal     TEXT    NOT NULL,
    how          TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    agency       TEXT    NOT NULL,
    kid          TEXT    NOT NULL,
    identity     TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (jurisdiction, voter)
);

-- An agency that its jurisdiction does not declare any more.
ALTER TABLE agencies ADD COLUMN undeclared INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE agencies DROP COLUMN undeclared;
DROP TABLE policy_votes;
DROP TABLE activations;
