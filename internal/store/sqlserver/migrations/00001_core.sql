-- +goose Up

-- Times are microseconds since 1970 UTC by the database's clock; durations are
-- microseconds. Flags are 0 or 1. An absent text is ''. Keys of the schema's
-- own are NULL where a unique index must skip the row.
--
-- Ids are char(36): in their order, which uniqueidentifier has not, alerts that
-- came together lie together, and the beginning of an id is a range. Texts are
-- nvarchar, compared by their code points (BIN2), whatever the database's own
-- collation says; no varchar holds UTF-8 before SQL Server 2019.

CREATE TABLE management_group (
    one        int NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
    id         char(36) COLLATE Latin1_General_100_BIN2 NOT NULL, -- part of every ticket's key
    name       nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    nudge_key  nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL, -- authenticates wake-ups between servers
    generation bigint NOT NULL, -- grows with every applied document
    created_at bigint NOT NULL
);

CREATE TABLE server (
    name              nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    address           nvarchar(2048) COLLATE Latin1_General_100_BIN2 NOT NULL,
    boot              nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    presence          nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    beat              bigint NOT NULL,
    version           nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    heartbeat_at      bigint NOT NULL,
    promised          bigint NOT NULL,
    high_availability int NOT NULL,
    joined_at         bigint NOT NULL
);

CREATE TABLE connector (
    name        nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    version     bigint NOT NULL, -- the current document's
    -- what availability needs of the document, so that a heartbeat reads no document
    polling     bigint NOT NULL,
    tolerance   int NOT NULL,
    failback    nvarchar(32) COLLATE Latin1_General_100_BIN2 NOT NULL,
    send_window bigint NOT NULL,
    settle      bigint NOT NULL,
    changed_at  bigint NOT NULL
);

CREATE TABLE connector_version (
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    version   bigint NOT NULL,
    document  nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    who       nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    comment   nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (connector, version)
);

CREATE TABLE membership (
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    server    nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    position  int NOT NULL,
    runs      bigint NOT NULL,
    eligible  int NOT NULL,
    reaches   int NOT NULL,
    reason    nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    PRIMARY KEY (connector, server)
);

CREATE TABLE lease (
    connector  nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    epoch      bigint NOT NULL,
    beat       bigint NOT NULL,
    server     nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL, -- '' = released; the row stays, so that no epoch is used twice
    boot       nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    promised   bigint NOT NULL,
    successor  nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    wish       nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [identity] nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    since      bigint NOT NULL
);

CREATE TABLE availability_event (
    id          bigint IDENTITY NOT NULL PRIMARY KEY,
    connector   nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch       bigint NOT NULL,
    at          bigint NOT NULL,
    from_server nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    to_server   nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    reason      nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    who         nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL
);
CREATE INDEX availability_event_by_connector ON availability_event (connector, id);

-- Whether an alert is the latest of its key is found by the key's hash: an index
-- takes 1,700 bytes and a key may have 2,048, and = does not tell "a" from "a ".
CREATE TABLE alert (
    id          char(36) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    source      nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    source_key  nvarchar(1024) COLLATE Latin1_General_100_BIN2 NOT NULL,
    latest_key  nvarchar(1024) COLLATE Latin1_General_100_BIN2 NULL, -- source_key on the latest alert of its source and key, else NULL
    latest_hash AS CAST(HASHBYTES('SHA2_256', latest_key) AS binary(32)) PERSISTED,
    status      nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    revision    bigint NOT NULL,
    seen        bigint NOT NULL,
    starts_at   bigint NOT NULL, -- 0 = not told; the source's clock
    ends_at     bigint NOT NULL,
    body        nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL, -- alert.Content as JSON
    accepted_at bigint NOT NULL,
    changed_at  bigint NOT NULL,
    accepted_by nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    previous    char(36) COLLATE Latin1_General_100_BIN2 NULL,
    generation  bigint NOT NULL, -- of the documents its subscriptions were last evaluated with
    behind      bigint NULL -- generation, or NULL: closed, and evaluated with what was then current
);
CREATE UNIQUE INDEX alert_latest ON alert (source, latest_hash) WHERE latest_key IS NOT NULL;
CREATE INDEX alert_by_time ON alert (accepted_at, id);
CREATE INDEX alert_open ON alert (source) WHERE status = N'open';
CREATE INDEX alert_behind ON alert (behind) WHERE behind IS NOT NULL;

CREATE TABLE link (
    alert_id        char(36) COLLATE Latin1_General_100_BIN2 NOT NULL,
    connector       nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    side            nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    stage           nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    ticket          nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL,
    ticket_url      nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    twins           nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL, -- JSON list, '' = none
    told            nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    delivered       bigint NOT NULL,
    notes_delivered bigint NOT NULL,
    attempts        int NOT NULL,
    failure         nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    parked          nvarchar(4000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    skipped         nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    wanted          bigint NOT NULL,
    notes_wanted    bigint NOT NULL,
    heard           nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    claim_id        char(36) COLLATE Latin1_General_100_BIN2 NULL,
    claim_epoch     bigint NOT NULL,
    hold_epoch      bigint NOT NULL,
    hold_until      bigint NOT NULL,
    evidence        nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    due_at          bigint NULL, -- set when due and unclaimed: not before, for back-off and order
    not_before      bigint NOT NULL, -- a held-back close; 0 = nothing is held back
    created_at      bigint NOT NULL,
    changed_at      bigint NOT NULL,
    delivered_at    bigint NOT NULL, -- 0 = never
    PRIMARY KEY (alert_id, connector, side)
);
CREATE INDEX link_due ON link (connector, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX link_claim ON link (connector, claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX link_ticket ON link (connector, ticket) WHERE ticket <> N'';
CREATE INDEX link_parked ON link (connector) WHERE parked <> N'';

CREATE TABLE note (
    alert_id  char(36) COLLATE Latin1_General_100_BIN2 NOT NULL,
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    side      nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    seq       bigint NOT NULL, -- from updating the link: serial numbers commit out of order
    text      nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (alert_id, connector, side, seq)
);

CREATE TABLE timeline (
    alert_id  char(36) COLLATE Latin1_General_100_BIN2 NOT NULL,
    id        bigint IDENTITY NOT NULL,
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL, -- '' = concerns the alert itself
    at        bigint NOT NULL,
    server    nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch     bigint NOT NULL,
    kind      nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    text      nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    endpoint  nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    took      bigint NOT NULL,
    revision  bigint NOT NULL,
    ticket    nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL,
    PRIMARY KEY (alert_id, id)
);

CREATE TABLE news (
    connector   nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    id          nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL,
    ticket      nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL,
    state       nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    author      nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    text        nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    at          bigint NOT NULL, -- the remote's clock, for display
    received_at bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED (connector, id) -- a clustered key has 900 bytes at most
);

CREATE TABLE bookmark (
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    name      nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    value     nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    PRIMARY KEY (connector, name)
);

-- What the store asks of every engine in its own way.
-- +goose StatementBegin
CREATE VIEW clock AS
SELECT DATEDIFF_BIG(MICROSECOND, CAST('1970-01-01T00:00:00' AS datetime2(6)), SYSUTCDATETIME()) AS now;
-- +goose StatementEnd

-- What names the history, until the program that migrates finds a name that
-- changes with it, among those that its login sees.
-- +goose StatementBegin
CREATE VIEW history AS
SELECT (SELECT N'mssql-unnamed-' + id FROM management_group) COLLATE Latin1_General_100_BIN2 AS [identity];
-- +goose StatementEnd

-- The group is made with the schema, so that no server sees one without the other.
INSERT INTO management_group (one, id, name, nudge_key, generation, created_at)
SELECT 1, LOWER(CAST(NEWID() AS char(36))), N'',
	REPLACE(LOWER(CAST(NEWID() AS char(36)) + CAST(NEWID() AS char(36))), '-', ''), 0, now FROM clock;

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
