-- Version 11. Peers and devices are indexed block by block of 16,384 rows of the journal. What is written together then
-- stands together: a commit of 512 rows of as many peers changes a few pages at the end of each index, not one per peer,
-- and retention removes whole pages. Whoever asks for a peer looks into one block after the other (`events_of`).
DROP INDEX events_device;
DROP INDEX events_peer;
CREATE INDEX events_device ON events (seq >> 14, device);
CREATE INDEX events_peer ON events (seq >> 14, peer) WHERE peer IS NOT NULL;
