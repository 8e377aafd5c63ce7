-- +goose Up

-- Times are microseconds since 1970 UTC by the database's clock; durations are
-- microseconds. Flags are 0 or 1. An absent text is ''. Keys of the schema's
-- own are NULL where a unique index must skip the row.

CREATE TABLE management_group (
    one        integer PRIMARY KEY CHECK (one = 1), -- a single row
    id         text    NOT NULL,                    -- part of every ticket's key
    name       text    NOT NULL,
    nudge_key  text    NOT NULL,                    -- authenticates wake-ups between servers
    generation integer  NOT NULL,                    -- grows with every applied document
    created_at integer  NOT NULL
);

CREATE TABLE server (
    name              text    PRIMARY KEY,
    address           text    NOT NULL,
    boot              text    NOT NULL,
    presence          text    NOT NULL,
    beat              integer  NOT NULL,
    version           text    NOT NULL,
    heartbeat_at      integer  NOT NULL,
    promised          integer  NOT NULL,
    high_availability integer NOT NULL,
    joined_at         integer  NOT NULL
);

CREATE TABLE connector (
    name       text    PRIMARY KEY,
    version    integer  NOT NULL, -- the current document's
    -- what availability needs of the document, so that a heartbeat reads no document
    polling    integer  NOT NULL,
    tolerance  integer NOT NULL,
    failback   text    NOT NULL,
    send_window integer NOT NULL,
    settle     integer  NOT NULL,
    changed_at integer  NOT NULL
);

CREATE TABLE connector_version (
    connector text   NOT NULL,
    version   integer NOT NULL,
    document  text   NOT NULL,
    who       text   NOT NULL,
    comment   text   NOT NULL,
    at        integer NOT NULL,
    PRIMARY KEY (connector, version)
);

CREATE TABLE membership (
    connector text    NOT NULL,
    server    text    NOT NULL,
    position  integer NOT NULL,
    runs      integer  NOT NULL,
    eligible  integer NOT NULL,
    reaches   integer NOT NULL,
    reason    text    NOT NULL,
    PRIMARY KEY (connector, server)
);

CREATE TABLE lease (
    connector text   PRIMARY KEY,
    epoch     integer NOT NULL,
    beat      integer NOT NULL,
    server    text   NOT NULL, -- '' = released; the row stays, so that no epoch is used twice
    boot      text   NOT NULL,
    promised  integer NOT NULL,
    successor text   NOT NULL,
    wish      text   NOT NULL,
    identity  text   NOT NULL,
    since     integer NOT NULL
);

CREATE TABLE availability_event (
    id          integer PRIMARY KEY AUTOINCREMENT,
    connector   text   NOT NULL,
    epoch       integer NOT NULL,
    at          integer NOT NULL,
    from_server text   NOT NULL,
    to_server   text   NOT NULL,
    reason      text   NOT NULL,
    who         text   NOT NULL
);
CREATE INDEX availability_event_by_connector ON availability_event (connector, id);

CREATE TABLE alert (
    id          text   PRIMARY KEY,
    source      text   NOT NULL,
    source_key  text   NOT NULL,
    latest_key  text,             -- source_key on the latest alert of its source and key, else NULL
    status      text   NOT NULL,
    revision    integer NOT NULL,
    seen        integer NOT NULL,
    starts_at   integer NOT NULL,  -- 0 = not told; the source's clock
    ends_at     integer NOT NULL,
    body        text   NOT NULL,  -- alert.Content as JSON
    accepted_at integer NOT NULL,
    changed_at  integer NOT NULL,
    accepted_by text   NOT NULL,
    previous    text,
    generation  integer NOT NULL, -- of the documents its subscriptions were last evaluated with
    behind      integer            -- generation, or NULL: closed, and evaluated with what was then current
);
CREATE UNIQUE INDEX alert_latest ON alert (source, latest_key);
CREATE INDEX alert_by_time ON alert (accepted_at, id);
CREATE INDEX alert_open ON alert (source) WHERE status = 'open';
CREATE INDEX alert_behind ON alert (behind) WHERE behind IS NOT NULL;

CREATE TABLE link (
    alert_id        text    NOT NULL,
    connector       text    NOT NULL,
    side            text    NOT NULL,
    stage           text    NOT NULL,
    ticket          text    NOT NULL,
    ticket_url      text    NOT NULL,
    twins           text    NOT NULL, -- JSON list, '' = none
    told            text    NOT NULL,
    delivered       integer  NOT NULL,
    notes_delivered integer  NOT NULL,
    attempts        integer NOT NULL,
    failure         text    NOT NULL,
    parked          text    NOT NULL,
    skipped         text    NOT NULL,
    wanted          integer  NOT NULL,
    notes_wanted    integer  NOT NULL,
    heard           text    NOT NULL,
    claim_id        text,
    claim_epoch     integer  NOT NULL,
    hold_epoch      integer  NOT NULL,
    hold_until      integer  NOT NULL,
    evidence        text    NOT NULL,
    due_at          integer,           -- set when due and unclaimed: not before, for back-off and order
    not_before      integer NOT NULL,  -- a held-back close; 0 = nothing is held back
    created_at      integer  NOT NULL,
    changed_at      integer  NOT NULL,
    delivered_at    integer  NOT NULL, -- 0 = never
    PRIMARY KEY (alert_id, connector, side)
);
CREATE INDEX link_due ON link (connector, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX link_claim ON link (connector, claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX link_ticket ON link (connector, ticket) WHERE ticket <> '';
CREATE INDEX link_parked ON link (connector) WHERE parked <> '';

CREATE TABLE note (
    alert_id  text   NOT NULL,
    connector text   NOT NULL,
    side      text   NOT NULL,
    seq       integer NOT NULL, -- from updating the link: serial numbers commit out of order
    text      text   NOT NULL,
    at        integer NOT NULL,
    PRIMARY KEY (alert_id, connector, side, seq)
);

CREATE TABLE timeline (
    id        integer PRIMARY KEY AUTOINCREMENT,
    alert_id  text   NOT NULL,
    connector text   NOT NULL, -- '' = concerns the alert itself
    at        integer NOT NULL,
    server    text   NOT NULL,
    epoch     integer NOT NULL,
    kind      text   NOT NULL,
    text      text   NOT NULL,
    endpoint  text   NOT NULL,
    took      integer NOT NULL,
    revision  integer NOT NULL,
    ticket    text   NOT NULL
);
CREATE INDEX timeline_by_alert ON timeline (alert_id, id);

CREATE TABLE news (
    connector   text   NOT NULL,
    id          text   NOT NULL,
    ticket      text   NOT NULL,
    state       text   NOT NULL,
    author      text   NOT NULL,
    text        text   NOT NULL,
    at          integer NOT NULL, -- the remote's clock, for display
    received_at integer NOT NULL,
    PRIMARY KEY (connector, id)
);

CREATE TABLE bookmark (
    connector text NOT NULL,
    name      text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (connector, name)
);

-- What the store asks of every engine in its own way.
CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000000 AS integer) AS now;
CREATE VIEW history AS SELECT 'sqlite-' || id AS identity FROM management_group;

-- The group is made with the schema, so that no server sees one without the
-- other. Its id is a random UUID (version 4).
INSERT INTO management_group (one, id, name, nudge_key, generation, created_at)
SELECT 1, substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-a' || substr(h, 18, 3) || '-' || substr(h, 21, 12),
	'', lower(hex(randomblob(32))), 0, now
FROM clock, (SELECT lower(hex(randomblob(16))) AS h);

-- +goose Down
DROP VIEW history;
DROP VIEW clock;
DROP TABLE bookmark;
DROP TABLE news;
DROP TABLE timeline;
DROP TABLE note;
DROP TABLE link;
DROP TABLE alert;
DROP TABLE availability_event;
DROP TABLE lease;
DROP TABLE membership;
DROP TABLE connector_version;
DROP TABLE connector;
DROP TABLE server;
DROP TABLE management_group;
