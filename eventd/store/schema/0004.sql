-- Version 4. What operators do with what was not delivered. wanted_at: when it was to be told, so due or else created;
-- sent_again_as: the notification that tells a dead one once more; dropped_by: who wants no more of it.
ALTER TABLE outbox ADD COLUMN wanted_at INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET wanted_at =
    max(created_at, CASE WHEN state = 'pending' AND attempts = 0 THEN CAST(next_at * 1000000 AS INTEGER) ELSE 0 END);
ALTER TABLE outbox ADD COLUMN sent_again_as TEXT;
ALTER TABLE outbox ADD COLUMN dropped_by TEXT;
CREATE INDEX outbox_undelivered ON outbox (seq) WHERE state IN ('pending', 'dead');
