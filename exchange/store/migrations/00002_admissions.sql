-- +goose Up
-- What the jurisdiction lists, and which registry file was applied last, so
-- that an unchanged file does not undo what operators did since.
ALTER TABLE agencies ADD COLUMN declared TEXT NOT NULL DEFAULT '';
ALTER TABLE agencies ADD COLUMN file TEXT NOT NULL DEFAULT '';

-- What one operator asked for and a second one has not confirmed yet.
CREATE TABLE proposals (
    agency    TEXT    PRIMARY KEY,
    roles     TEXT    NOT NULL,
    suspended INTEGER NOT NULL,
    identity  TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    at        INTEGER NOT NULL
);

-- +goose Down
DROP TABLE proposals;
ALTER TABLE agencies DROP COLUMN file;
ALTER TABLE agencies DROP COLUMN declared;
