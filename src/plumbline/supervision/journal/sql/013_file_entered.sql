-- The instant that the entry blob.stored of a file states, kept before the entry is made: whoever makes it again after a crash
-- makes the same one, so that a file is entered once.
ALTER TABLE ops.file ADD COLUMN enters_at timestamptz;
GRANT UPDATE (enters_at) ON ops.file TO plumb_gateway;
