-- +goose Up
-- The newest revocation list of each authority. number is decimal, of up to
-- 49 digits.
CREATE TABLE revocations (
    jurisdiction TEXT    NOT NULL,
    issuer       TEXT    NOT NULL,
    number       TEXT    NOT NULL,
    digest       TEXT    NOT NULL,
    pem          BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (jurisdiction, issuer)
);

-- Until when overdue lists serve, and what waits for a second operator.
CREATE TABLE graces (
    jurisdiction TEXT    PRIMARY KEY,
    until        INTEGER NOT NULL,
    wanted       INTEGER NOT NULL,
    identity     TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    at           INTEGER NOT NULL
);

-- +goose Down
DROP TABLE graces;
DROP TABLE revocations;
