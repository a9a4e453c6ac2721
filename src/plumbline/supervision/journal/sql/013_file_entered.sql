-- The instant that the entry blob.stored of a file states, kept before the entry is made: whoever makes it again after a crash
-- makes the same one, so that a file is entered once. With it the row takes over what whoever brought the bytes said of them.
ALTER TABLE ops.file ADD COLUMN enters_at timestamptz;
GRANT UPDATE (enters_at, bytes, media_type, uploaded_by) ON ops.file TO plumb_gateway;
