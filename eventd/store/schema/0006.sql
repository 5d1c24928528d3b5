-- Version 6. more: how many incidents waited when a digest was sealed that has no room for them. A repeat says the same.
ALTER TABLE digests ADD COLUMN more INTEGER NOT NULL DEFAULT 0;
