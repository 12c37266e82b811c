-- +goose Up
-- Limits that operators set: of an agency, or with '' of all that have none of
-- their own.
CREATE TABLE rates (
    agency   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    quota    INTEGER NOT NULL,
    seconds  INTEGER NOT NULL,
    identity TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (agency, name)
);

-- +goose Down
DROP TABLE rates;
