-- +goose Up
-- What was erased, in order: the search index, which lies outside, takes it
-- out by and by.
CREATE TABLE search_drops (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    owner    TEXT    NOT NULL,
    seq      INTEGER NOT NULL
);

-- Whose logs the supervisors of an agency may read.
ALTER TABLE agencies ADD COLUMN supervises TEXT NOT NULL DEFAULT '';
ALTER TABLE proposals ADD COLUMN supervises TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE proposals DROP COLUMN supervises;
ALTER TABLE agencies DROP COLUMN supervises;
DROP TABLE search_drops;
