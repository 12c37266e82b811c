-- +goose Up
-- Who still needs a shared input. It holds digests, and only of decisions
-- whose own part is kept: those that can be replayed.
CREATE INDEX decisions_shared ON decisions (shared) WHERE length(own) > 0;

-- +goose Down
DROP INDEX decisions_shared;
