-- +goose Up

-- What each server tells of its connectors every few seconds while it delivers:
-- how many tickets it wrote in the minute before. Forwarding itself counts in
-- memory only.
CREATE TABLE IF NOT EXISTS throughput (
    connector varchar(190) NOT NULL,
    server    varchar(190) NOT NULL,
    delivered bigint       NOT NULL,
    at        bigint       NOT NULL,
    PRIMARY KEY (connector, server)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE throughput;
