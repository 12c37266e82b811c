-- +goose Up
-- Who, beside the recipients of its deliveries, may see a package: its sender,
-- and originators that it waits for. It is looked up before the package is,
-- and misses alike for what is absent and for what is another's.
CREATE TABLE parties (
    agency  TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (agency, package)
) WITHOUT ROWID;

INSERT INTO parties (agency, package) SELECT sender, id FROM packages;

-- Each originator has the entry that told it.
INSERT OR IGNORE INTO parties (agency, package)
SELECT owner, json_extract(CAST(entry AS TEXT), '$.package') FROM entries
WHERE json_extract(CAST(entry AS TEXT), '$.action') = 'package.await';

-- +goose Down
DROP TABLE parties;
