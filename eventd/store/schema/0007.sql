-- Version 7. heard: a try of it ended so that the far end may have it. Of what was tried by an earlier eventd nobody knows.
ALTER TABLE outbox ADD COLUMN heard INTEGER NOT NULL DEFAULT 0 CHECK (heard IN (0, 1));
UPDATE outbox SET heard = 1 WHERE attempts > 0;
