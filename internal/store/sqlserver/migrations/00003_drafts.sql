-- +goose Up

-- Every saved revision of the drafts of connectors' documents. The newest of a
-- connector is its draft, unless ended says that it is one no more; numbers go
-- on from there, so that none is ever used for two texts.
CREATE TABLE draft (
    connector nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    revision  bigint NOT NULL,
    base      bigint NOT NULL, -- version of the document it was made from; 0 = the connector is new
    document  nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    author    nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    at        bigint NOT NULL,
    ended     nvarchar(32) COLLATE Latin1_General_100_BIN2 NOT NULL, -- '', 'applied' or 'discarded'
    PRIMARY KEY (connector, revision)
);

-- +goose Down
DROP TABLE draft;
