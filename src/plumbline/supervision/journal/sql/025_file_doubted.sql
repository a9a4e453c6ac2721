-- Whoever gives a stored file to a reader and finds it damaged asks the patrol to look at it first. Run as plumb_owner.
GRANT UPDATE (checked_at) ON ops.file TO plumb_gateway;
