-- +goose Up

-- What each server tells of its connectors every few seconds while it delivers:
-- how many tickets it wrote in the minute before. Forwarding itself counts in
-- memory only.
CREATE TABLE throughput (
    connector text    NOT NULL,
    server    text    NOT NULL,
    delivered bigint  NOT NULL,
    at        bigint  NOT NULL,
    PRIMARY KEY (connector, server)
);

-- +goose Down
DROP TABLE throughput;
