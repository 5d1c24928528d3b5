-- Version 13. What many events of one peer say of their reason is kept once in a block of 16,384 rows: half of a row. seq
-- is the number of the row for which it was kept; events.reason names it, and NULL means that the row has its own.
CREATE TABLE reasons (
    seq  INTEGER PRIMARY KEY,
    json TEXT NOT NULL
);
ALTER TABLE events ADD COLUMN reason INTEGER;
