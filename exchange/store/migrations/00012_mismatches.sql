-- +goose Up
-- When a recipient first had the content, and in what it said that the content
-- is not what the manifest says: a JSON list of codes with their entries.
ALTER TABLE deliveries ADD COLUMN fetched_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN mismatches TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE deliveries DROP COLUMN mismatches;
ALTER TABLE deliveries DROP COLUMN fetched_at;
