-- Version 5. What was handed to a channel is noted before the far end hears of it, so that a restart knows what may have
-- been told. And questions of a long queue are answered from indexes: reading its rows takes seconds for 50,000.
CREATE TABLE in_flight (
    channel TEXT PRIMARY KEY,
    id      TEXT NOT NULL
) WITHOUT ROWID;
-- Handed out again after its worker had been cut off, and not taken then: the far end may know it under its own id.
ALTER TABLE outbox ADD COLUMN alone INTEGER NOT NULL DEFAULT 0 CHECK (alone IN (0, 1));
CREATE INDEX outbox_alone ON outbox (channel, next_at) WHERE state = 'pending' AND alone = 1;
DROP INDEX outbox_queue;
CREATE INDEX outbox_queue ON outbox (channel, lane, place, next_at, attempts, digest) WHERE state = 'pending';
CREATE INDEX outbox_times ON outbox (channel, next_at, wanted_at) WHERE state = 'pending';
CREATE INDEX outbox_waiting ON outbox (incident, channel, lane, place) WHERE state = 'pending';
CREATE INDEX outbox_sealed ON outbox (channel, digest) WHERE state = 'pending' AND digest IS NOT NULL;
CREATE INDEX outbox_delivered ON outbox (channel, settled_at) WHERE state = 'delivered';
