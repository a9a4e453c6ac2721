-- When the bytes of a stored file were last held against its digest, and what was wrong then (empty: nothing). Run as plumb_owner.
-- No evidence: the digest in the log is; this only says since when nobody has looked.
ALTER TABLE ops.file
    ADD COLUMN checked_at timestamptz,
    ADD COLUMN damage     text NOT NULL DEFAULT '';
-- Whose turn it is, without passing over the rest; announced files are not there yet.
CREATE INDEX file_to_check ON ops.file (checked_at NULLS FIRST) WHERE state <> 'announced';
CREATE INDEX file_damaged ON ops.file (checked_at) WHERE damage <> '';

GRANT UPDATE (checked_at, damage) ON ops.file TO plumb_worker;
