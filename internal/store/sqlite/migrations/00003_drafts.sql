-- +goose Up

-- Every saved revision of the drafts of connectors' documents. The newest of a
-- connector is its draft, unless ended says that it is one no more; numbers go
-- on from there, so that none is ever used for two texts.
CREATE TABLE draft (
    connector text   NOT NULL,
    revision  integer NOT NULL,
    base      integer NOT NULL, -- version of the document it was made from; 0 = the connector is new
    document  text   NOT NULL,
    author    text   NOT NULL,
    at        integer NOT NULL,
    ended     text   NOT NULL, -- '', 'applied' or 'discarded'
    PRIMARY KEY (connector, revision)
);

-- +goose Down
DROP TABLE draft;
