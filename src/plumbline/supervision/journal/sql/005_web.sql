-- Tables of the web products (accounts, sessions, failed sign-ins) are made here by their migrations. Run as plumb_owner.
CREATE SCHEMA web;
GRANT USAGE ON SCHEMA web TO plumb_web;
