-- Version 9. refused_at: when its far end first refused it (Unix seconds); how long it is tried is counted from then.
ALTER TABLE outbox ADD COLUMN refused_at REAL;
