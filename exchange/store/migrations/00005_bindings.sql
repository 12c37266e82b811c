-- +goose Up
-- Who the holders of keys are whose certificates name nobody.
ALTER TABLE agencies ADD COLUMN bindings TEXT NOT NULL DEFAULT '';
ALTER TABLE proposals ADD COLUMN bindings TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE proposals DROP COLUMN bindings;
ALTER TABLE agencies DROP COLUMN bindings;
