-- +goose Up

-- Times are microseconds since 1970 UTC by the database's clock; durations are
-- microseconds. Flags are 0 or 1. An absent text is ''. Keys of the schema's
-- own are NULL where a unique index must skip the row.
--
-- Definitions commit one by one here: each statement may be repeated, so that a
-- migration that was interrupted is run again from its beginning. Texts are
-- compared by their bytes, blanks at the end included; MariaDB and MySQL have
-- different names for that. There are no partial indexes: one on a column that is
-- NULL where it does not matter has the same use, at some cost in size.

CREATE TABLE IF NOT EXISTS management_group (
    one        int          NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
    id         char(36)     NOT NULL,                             -- part of every ticket's key
    name       varchar(190) NOT NULL,
    nudge_key  varchar(190) NOT NULL,                             -- authenticates wake-ups between servers
    generation bigint       NOT NULL,                             -- grows with every applied document
    created_at bigint       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS server (
    name              varchar(190) NOT NULL PRIMARY KEY,
    address           text         NOT NULL,
    boot              varchar(190) NOT NULL,
    presence          varchar(190) NOT NULL,
    beat              bigint       NOT NULL,
    version           text         NOT NULL,
    heartbeat_at      bigint       NOT NULL,
    promised          bigint       NOT NULL,
    high_availability int          NOT NULL,
    joined_at         bigint       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS connector (
    name        varchar(190) NOT NULL PRIMARY KEY,
    version     bigint       NOT NULL, -- the current document's
    -- what availability needs of the document, so that a heartbeat reads no document
    polling     bigint       NOT NULL,
    tolerance   int          NOT NULL,
    failback    varchar(40)  NOT NULL,
    send_window bigint       NOT NULL,
    settle      bigint       NOT NULL,
    changed_at  bigint       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS connector_version (
    connector varchar(190) NOT NULL,
    version   bigint       NOT NULL,
    document  mediumtext   NOT NULL,
    who       text         NOT NULL,
    comment   mediumtext   NOT NULL,
    at        bigint       NOT NULL,
    PRIMARY KEY (connector, version)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS membership (
    connector varchar(190) NOT NULL,
    server    varchar(190) NOT NULL,
    position  int          NOT NULL,
    runs      bigint       NOT NULL,
    eligible  int          NOT NULL,
    reaches   int          NOT NULL,
    reason    mediumtext   NOT NULL,
    PRIMARY KEY (connector, server)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS lease (
    connector varchar(190) NOT NULL PRIMARY KEY,
    epoch     bigint       NOT NULL,
    beat      bigint       NOT NULL,
    server    varchar(190) NOT NULL, -- '' = released; the row stays, so that no epoch is used twice
    boot      varchar(190) NOT NULL,
    promised  bigint       NOT NULL,
    successor varchar(190) NOT NULL,
    wish      varchar(190) NOT NULL,
    identity  varchar(190) NOT NULL,
    since     bigint       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS availability_event (
    id          bigint       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    connector   varchar(190) NOT NULL,
    epoch       bigint       NOT NULL,
    at          bigint       NOT NULL,
    from_server varchar(190) NOT NULL,
    to_server   varchar(190) NOT NULL,
    reason      text         NOT NULL,
    who         text         NOT NULL,
    KEY availability_event_by_connector (connector, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- A source's key may have 1024 bytes, which is why the indexed copy is binary.
CREATE TABLE IF NOT EXISTS alert (
    id          char(36)        NOT NULL PRIMARY KEY,
    source      varchar(190)    NOT NULL,
    source_key  text            NOT NULL,
    latest_key  varbinary(1024),           -- source_key on the latest alert of its source and key, else NULL
    status      varchar(40)     NOT NULL,
    revision    bigint          NOT NULL,
    seen        bigint          NOT NULL,
    starts_at   bigint          NOT NULL,  -- 0 = not told; the source's clock
    ends_at     bigint          NOT NULL,
    body        mediumtext      NOT NULL,  -- alert.Content as JSON
    accepted_at bigint          NOT NULL,
    changed_at  bigint          NOT NULL,
    accepted_by varchar(190)    NOT NULL,
    previous    char(36),
    generation  bigint          NOT NULL, -- of the documents its subscriptions were last evaluated with
    behind      bigint,                    -- generation, or NULL: closed, and evaluated with what was then current
    UNIQUE KEY alert_latest (source, latest_key),
    KEY alert_by_time (accepted_at, id),
    KEY alert_open (source, status),
    KEY alert_behind (behind)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS link (
    alert_id        char(36)     NOT NULL,
    connector       varchar(190) NOT NULL,
    side            varchar(10)  NOT NULL,
    stage           varchar(20)  NOT NULL,
    ticket          text         NOT NULL,
    ticket_url      text         NOT NULL,
    twins           mediumtext   NOT NULL, -- JSON list, '' = none
    told            mediumtext   NOT NULL,
    delivered       bigint       NOT NULL,
    notes_delivered bigint       NOT NULL,
    attempts        int          NOT NULL,
    failure         mediumtext   NOT NULL,
    parked          mediumtext   NOT NULL,
    skipped         mediumtext   NOT NULL,
    wanted          bigint       NOT NULL,
    notes_wanted    bigint       NOT NULL,
    heard           mediumtext   NOT NULL,
    claim_id        char(36),
    claim_epoch     bigint       NOT NULL,
    hold_epoch      bigint       NOT NULL,
    hold_until      bigint       NOT NULL,
    evidence        text         NOT NULL,
    due_at          bigint,                -- set when due and unclaimed: not before, for back-off and order
    not_before      bigint       NOT NULL, -- a held-back close; 0 = nothing is held back
    created_at      bigint       NOT NULL,
    changed_at      bigint       NOT NULL,
    delivered_at    bigint       NOT NULL, -- 0 = never
    is_parked       int AS (CASE WHEN parked <> '' THEN 1 END) VIRTUAL /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */,
    PRIMARY KEY (alert_id, connector, side),
    KEY link_due (connector, due_at),
    KEY link_claim (connector, claim_id),
    KEY link_ticket (connector, ticket(64)),
    KEY link_parked (connector, is_parked)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS note (
    alert_id  char(36)     NOT NULL,
    connector varchar(190) NOT NULL,
    side      varchar(10)  NOT NULL,
    seq       bigint       NOT NULL, -- from updating the link: serial numbers commit out of order
    text      mediumtext   NOT NULL,
    at        bigint       NOT NULL,
    PRIMARY KEY (alert_id, connector, side, seq)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS timeline (
    alert_id  char(36)     NOT NULL,
    id        bigint       NOT NULL AUTO_INCREMENT,
    connector varchar(190) NOT NULL, -- '' = concerns the alert itself
    at        bigint       NOT NULL,
    server    varchar(190) NOT NULL,
    epoch     bigint       NOT NULL,
    kind      varchar(40)  NOT NULL,
    text      mediumtext   NOT NULL,
    endpoint  text         NOT NULL,
    took      bigint       NOT NULL,
    revision  bigint       NOT NULL,
    ticket    text         NOT NULL,
    PRIMARY KEY (alert_id, id),
    KEY timeline_id (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS news (
    connector   varchar(190)    NOT NULL,
    id          varbinary(2048) NOT NULL,
    ticket      text            NOT NULL,
    state       text            NOT NULL,
    author      text            NOT NULL,
    text        mediumtext      NOT NULL,
    at          bigint          NOT NULL, -- the remote's clock, for display
    received_at bigint          NOT NULL,
    PRIMARY KEY (connector, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS bookmark (
    connector varchar(190) NOT NULL,
    name      varchar(190) NOT NULL,
    value     mediumtext   NOT NULL,
    PRIMARY KEY (connector, name)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- What the store asks of every engine in its own way. The clock stands still
-- during a statement, so that its stamps agree, and knows no time zone. A
-- standby has another server id than its primary; a restore makes the tables
-- anew, and so the time of one of them. Whoever asks needs no rights of the user
-- who made the views, who may be gone, as after a restore on another server.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW clock AS SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS now;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW history AS SELECT CONVERT(CONCAT(
    /*!80000 'mysql-', (SELECT v.VARIABLE_VALUE FROM performance_schema.global_variables v WHERE v.VARIABLE_NAME = 'server_uuid'), */
    /*M!100000 'mariadb-', COALESCE(
        (SELECT v.VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES v WHERE v.VARIABLE_NAME = 'SERVER_UID'),
        (SELECT v.VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES v WHERE v.VARIABLE_NAME = 'HOSTNAME')), */
    '-', (SELECT v.VARIABLE_VALUE FROM /*!80000 performance_schema.global_variables */ /*M!100000 information_schema.GLOBAL_VARIABLES */ v
        WHERE v.VARIABLE_NAME = 'server_id'),
    '-', (SELECT DATE_FORMAT(t.CREATE_TIME, '%Y%m%d%H%i%s') FROM information_schema.TABLES t
        WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = 'lease')) USING utf8mb4)
    COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */ AS identity;

-- The group is made with the schema, so that no server sees one without the other.
INSERT INTO management_group (one, id, name, nudge_key, generation, created_at)
SELECT 1, LOWER(CONCAT(HEX(RANDOM_BYTES(4)), '-', HEX(RANDOM_BYTES(2)), '-4', SUBSTR(HEX(RANDOM_BYTES(2)), 2),
    '-a', SUBSTR(HEX(RANDOM_BYTES(2)), 2), '-', HEX(RANDOM_BYTES(6)))), '', LOWER(HEX(RANDOM_BYTES(32))), 0, now
FROM clock WHERE NOT EXISTS (SELECT 1 FROM management_group);

-- +goose Down
DROP VIEW history, clock;
DROP TABLE bookmark, news, timeline, note, link, alert, availability_event, lease, membership, connector_version, connector, server, management_group;
