-- Whoever signs in is told how many sign-ins in that name were refused since the last one: found by the name, whatever the trail holds else.
-- Run as plumb_owner.
CREATE INDEX audit_event_of_refused_sign_in ON ops.audit_event (lower(actor), at)
    WHERE action IN ('session.refused', 'second_factor.refused');
