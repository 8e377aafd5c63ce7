-- +goose Up

-- Times are microseconds since 1970 UTC by the database's clock; durations are
-- microseconds. Flags are 0 or 1. An absent text is ''. Keys of the schema's
-- own are NULL where a unique index must skip the row.

CREATE TABLE management_group (
    one        integer PRIMARY KEY CHECK (one = 1), -- a single row
    id         uuid    NOT NULL,                    -- part of every ticket's key
    name       text    NOT NULL,
    nudge_key  text    NOT NULL,                    -- authenticates wake-ups between servers
    generation bigint  NOT NULL,                    -- grows with every applied document
    created_at bigint  NOT NULL
);

CREATE TABLE server (
    name              text    PRIMARY KEY,
    address           text    NOT NULL,
    boot              text    NOT NULL,
    presence          text    NOT NULL,
    beat              bigint  NOT NULL,
    version           text    NOT NULL,
    heartbeat_at      bigint  NOT NULL,
    promised          bigint  NOT NULL,
    high_availability integer NOT NULL,
    joined_at         bigint  NOT NULL
);

CREATE TABLE connector (
    name       text    PRIMARY KEY,
    version    bigint  NOT NULL, -- the current document's
    -- what availability needs of the document, so that a heartbeat reads no document
    polling    bigint  NOT NULL,
    tolerance  integer NOT NULL,
    failback   text    NOT NULL,
    send_window bigint NOT NULL,
    settle     bigint  NOT NULL,
    changed_at bigint  NOT NULL
);

CREATE TABLE connector_version (
    connector text   NOT NULL,
    version   bigint NOT NULL,
    document  text   NOT NULL,
    who       text   NOT NULL,
    comment   text   NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (connector, version)
);

CREATE TABLE membership (
    connector text    NOT NULL,
    server    text    NOT NULL,
    position  integer NOT NULL,
    runs      bigint  NOT NULL,
    eligible  integer NOT NULL,
    reaches   integer NOT NULL,
    reason    text    NOT NULL,
    PRIMARY KEY (connector, server)
);

CREATE TABLE lease (
    connector text   PRIMARY KEY,
    epoch     bigint NOT NULL,
    beat      bigint NOT NULL,
    server    text   NOT NULL, -- '' = released; the row stays, so that no epoch is used twice
    boot      text   NOT NULL,
    promised  bigint NOT NULL,
    successor text   NOT NULL,
    wish      text   NOT NULL,
    identity  text   NOT NULL,
    since     bigint NOT NULL
);

CREATE TABLE availability_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector   text   NOT NULL,
    epoch       bigint NOT NULL,
    at          bigint NOT NULL,
    from_server text   NOT NULL,
    to_server   text   NOT NULL,
    reason      text   NOT NULL,
    who         text   NOT NULL
);
CREATE INDEX availability_event_by_connector ON availability_event (connector, id);

CREATE TABLE alert (
    id          uuid   PRIMARY KEY,
    source      text   NOT NULL,
    source_key  text   NOT NULL,
    latest_key  text,             -- source_key on the latest alert of its source and key, else NULL
    status      text   NOT NULL,
    revision    bigint NOT NULL,
    seen        bigint NOT NULL,
    starts_at   bigint NOT NULL,  -- 0 = not told; the source's clock
    ends_at     bigint NOT NULL,
    body        text   NOT NULL,  -- alert.Content as JSON
    accepted_at bigint NOT NULL,
    changed_at  bigint NOT NULL,
    accepted_by text   NOT NULL,
    previous    uuid,
    generation  bigint NOT NULL, -- of the documents its subscriptions were last evaluated with
    behind      bigint            -- generation, or NULL: closed, and evaluated with what was then current
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX alert_latest ON alert (source, latest_key);
CREATE INDEX alert_by_time ON alert (accepted_at, id);
CREATE INDEX alert_open ON alert (source) WHERE status = 'open';
CREATE INDEX alert_behind ON alert (behind) WHERE behind IS NOT NULL;

CREATE TABLE link (
    alert_id        uuid    NOT NULL,
    connector       text    NOT NULL,
    side            text    NOT NULL,
    stage           text    NOT NULL,
    ticket          text    NOT NULL,
    ticket_url      text    NOT NULL,
    twins           text    NOT NULL, -- JSON list, '' = none
    told            text    NOT NULL,
    delivered       bigint  NOT NULL,
    notes_delivered bigint  NOT NULL,
    attempts        integer NOT NULL,
    failure         text    NOT NULL,
    parked          text    NOT NULL,
    skipped         text    NOT NULL,
    wanted          bigint  NOT NULL,
    notes_wanted    bigint  NOT NULL,
    heard           text    NOT NULL,
    claim_id        uuid,
    claim_epoch     bigint  NOT NULL,
    hold_epoch      bigint  NOT NULL,
    hold_until      bigint  NOT NULL,
    evidence        text    NOT NULL,
    due_at          bigint,           -- set when due and unclaimed: not before, for back-off and order
    not_before      bigint  NOT NULL, -- a held-back close; 0 = nothing is held back
    created_at      bigint  NOT NULL,
    changed_at      bigint  NOT NULL,
    delivered_at    bigint  NOT NULL, -- 0 = never
    PRIMARY KEY (alert_id, connector, side)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.1);
CREATE INDEX link_due ON link (connector, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX link_claim ON link (connector, claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX link_ticket ON link (connector, ticket) WHERE ticket <> '';
CREATE INDEX link_parked ON link (connector) WHERE parked <> '';

CREATE TABLE note (
    alert_id  uuid   NOT NULL,
    connector text   NOT NULL,
    side      text   NOT NULL,
    seq       bigint NOT NULL, -- from updating the link: serial numbers commit out of order
    text      text   NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (alert_id, connector, side, seq)
);

CREATE TABLE timeline (
    alert_id  uuid   NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    connector text   NOT NULL, -- '' = concerns the alert itself
    at        bigint NOT NULL,
    server    text   NOT NULL,
    epoch     bigint NOT NULL,
    kind      text   NOT NULL,
    text      text   NOT NULL,
    endpoint  text   NOT NULL,
    took      bigint NOT NULL,
    revision  bigint NOT NULL,
    ticket    text   NOT NULL,
    PRIMARY KEY (alert_id, id)
);

CREATE TABLE news (
    connector   text   NOT NULL,
    id          text   NOT NULL,
    ticket      text   NOT NULL,
    state       text   NOT NULL,
    author      text   NOT NULL,
    text        text   NOT NULL,
    at          bigint NOT NULL, -- the remote's clock, for display
    received_at bigint NOT NULL,
    PRIMARY KEY (connector, id)
);

CREATE TABLE bookmark (
    connector text NOT NULL,
    name      text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (connector, name)
);

-- What the store asks of every engine in its own way. The clock stands still
-- during a statement, so that its stamps agree. The timeline of the log
-- being written changes at once at a promotion; the control file's lags behind.
-- A restore makes the tables anew, and so the number of one of them.
CREATE VIEW clock AS SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS now;
CREATE VIEW history AS
SELECT 'pg-' || (SELECT system_identifier FROM pg_control_system()) || '-' ||
       CASE WHEN pg_is_in_recovery()
            THEN lpad(upper(to_hex((SELECT timeline_id FROM pg_control_checkpoint()))), 8, '0')
            ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
       || '-' || 'lease'::regclass::oid AS identity;

-- The group is made with the schema, so that no server sees one without the other.
INSERT INTO management_group (one, id, name, nudge_key, generation, created_at)
SELECT 1, gen_random_uuid(), '', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 0, now FROM clock;

-- +goose Down
DROP VIEW history, clock;
DROP TABLE bookmark, news, timeline, note, link, alert, availability_event, lease, membership, connector_version, connector, server, management_group;
