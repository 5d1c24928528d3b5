-- Version 10. catches_up: its channel is new, and is told of what was open before. For that digests have a reason of its own.
ALTER TABLE outbox ADD COLUMN catches_up INTEGER NOT NULL DEFAULT 0 CHECK (catches_up IN (0, 1));
ALTER TABLE digests RENAME COLUMN why TO said;
ALTER TABLE digests ADD COLUMN why TEXT NOT NULL DEFAULT 'storm' CHECK (why IN ('storm', 'late', 'quiet', 'new'));
UPDATE digests SET why = said;
ALTER TABLE digests DROP COLUMN said;
