-- The clock of a demo (PROTOCOL §4): how far it runs ahead of the database's, and since when the platform is stopped in a simulation.
-- While the story of its past is being told (`telling`), the present is the newest entry's time, for everything that states none.
-- One row at most, written by plumb_owner alone; only a log whose origin begins demo. may have one, and it never goes back.
CREATE TABLE ops.demo_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    ahead interval NOT NULL DEFAULT '0' CHECK (ahead BETWEEN '0' AND '60 days'),
    stopped_since timestamptz,
    telling boolean NOT NULL DEFAULT false,
    by_whom text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION ops.demo_clock_runs_forward() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM journal.head WHERE origin LIKE 'demo.%') THEN
        RAISE EXCEPTION 'only a demo log has a shifted clock' USING ERRCODE = '42501';
    END IF;
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND NEW.ahead < OLD.ahead) THEN
        RAISE EXCEPTION 'the clock of a demo log runs forward only' USING ERRCODE = '42501';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.telling AND NOT OLD.telling THEN
        RAISE EXCEPTION 'the past of a demo log is told once' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER demo_clock_forward BEFORE INSERT OR UPDATE OR DELETE ON ops.demo_clock
    FOR EACH ROW EXECUTE FUNCTION ops.demo_clock_runs_forward();
REVOKE ALL ON FUNCTION ops.demo_clock_runs_forward() FROM PUBLIC;
GRANT SELECT ON ops.demo_clock TO plumb_gateway, plumb_worker;
