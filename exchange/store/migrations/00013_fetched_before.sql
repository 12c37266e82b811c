-- +goose Up
-- Who fetched content before that was noted can report what differs in it, even
-- if the content is erased since: who had acknowledged counts as having fetched
-- then, which is what an acknowledgement is for. Of an erased package only the
-- tombstone is left, which does not say who read it.
UPDATE deliveries SET fetched_at = coalesce((SELECT a.at FROM acknowledgements a WHERE a.package = deliveries.package AND a.recipient = deliveries.recipient), 0)
WHERE fetched_at = 0 AND outcome = 'acknowledged' AND package IN (SELECT id FROM packages WHERE erased IS NULL);
UPDATE deliveries SET fetched_at = 0 WHERE fetched_at > 0 AND package IN (SELECT id FROM packages WHERE erased IS NOT NULL);

-- +goose Down
SELECT 1;
