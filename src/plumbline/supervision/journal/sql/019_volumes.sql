-- Volumes (合订案卷包): jobs whose result is a file beside the database, too large for a row, and that tell how far they are.
-- Run as plumb_owner.
ALTER TABLE ops.job DROP CONSTRAINT job_kind_check;
ALTER TABLE ops.job ADD CONSTRAINT job_kind_check CHECK (kind IN ('list_export', 'volume'));
ALTER TABLE ops.job
    ADD COLUMN step text,
    ADD COLUMN done int,
    ADD COLUMN total int,
    ADD COLUMN bytes bigint,
    ADD COLUMN beat_at timestamptz;
GRANT UPDATE (step, done, total, bytes, beat_at) ON ops.job TO plumb_web;
-- The worker starts a process for each kind that waits, and one for what is past its time.
GRANT SELECT (kind, ordered_at, begun_at, beat_at) ON ops.job TO plumb_worker;
