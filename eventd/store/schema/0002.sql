-- Version 2. All-clears wait behind news: lane 1 holds resolutions and what follows one about the same incident, lane 0
-- everything else. Within a lane a channel is told by place.
ALTER TABLE outbox ADD COLUMN lane INTEGER NOT NULL DEFAULT 0 CHECK (lane IN (0, 1));
UPDATE outbox SET lane = 1 WHERE what = 'resolved' OR EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.incident = outbox.incident AND earlier.channel = outbox.channel AND earlier.what = 'resolved'
        AND earlier.state = 'pending' AND earlier.place < outbox.place
);
DROP INDEX outbox_queue;
CREATE UNIQUE INDEX outbox_queue ON outbox (channel, lane, place) WHERE state = 'pending';
