-- +goose Up

-- Every saved revision of the drafts of connectors' documents. The newest of a
-- connector is its draft, unless ended says that it is one no more; numbers go
-- on from there, so that none is ever used for two texts.
CREATE TABLE IF NOT EXISTS draft (
    connector varchar(190) NOT NULL,
    revision  bigint       NOT NULL,
    base      bigint       NOT NULL, -- version of the document it was made from; 0 = the connector is new
    document  mediumtext   NOT NULL,
    author    text         NOT NULL,
    at        bigint       NOT NULL,
    ended     varchar(40)  NOT NULL, -- '', 'applied' or 'discarded'
    PRIMARY KEY (connector, revision)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE draft;
