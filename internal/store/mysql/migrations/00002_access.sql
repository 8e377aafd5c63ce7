-- +goose Up

-- Who may do what. Whatever could be used to get in is here as a hash only.

CREATE TABLE IF NOT EXISTS account (
    name         varchar(190) NOT NULL PRIMARY KEY, -- lower case
    kind         varchar(40)  NOT NULL, -- 'local' or 'oidc'
    subject      text         NOT NULL, -- of 'oidc': who the provider says it is
    role         varchar(40)  NOT NULL, -- 'viewer', 'operator' or 'admin'
    password     text         NOT NULL, -- argon2id in PHC form; '' = none
    generation   bigint       NOT NULL, -- grows with each change that ends the sessions
    created_at   bigint       NOT NULL,
    changed_at   bigint       NOT NULL,
    signed_in_at bigint       NOT NULL  -- 0 = never
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS session (
    hash       varchar(190) NOT NULL PRIMARY KEY, -- of the id that the browser has
    account    varchar(190) NOT NULL,
    generation bigint       NOT NULL, -- the account's when it signed in
    data       mediumtext   NOT NULL, -- JSON
    address    text         NOT NULL, -- where it signed in from
    created_at bigint       NOT NULL,
    seen_at    bigint       NOT NULL, -- to the minute
    expires_at bigint       NOT NULL,
    KEY session_by_account (account)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS api_token (
    name       varchar(190) NOT NULL PRIMARY KEY, -- lower case
    hash       varchar(190) NOT NULL,
    role       varchar(40)  NOT NULL,
    created_by varchar(190) NOT NULL,
    created_at bigint       NOT NULL,
    expires_at bigint       NOT NULL,
    used_at    bigint       NOT NULL, -- to the minute; 0 = never
    UNIQUE KEY api_token_by_hash (hash)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- One row for each set-up link that was printed while there was no administrator.
CREATE TABLE IF NOT EXISTS set_up (
    hash       varchar(190) NOT NULL PRIMARY KEY,
    expires_at bigint       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- Failed sign-ins in a row, of an account or an address.
CREATE TABLE IF NOT EXISTS strike (
    name     varchar(255) NOT NULL PRIMARY KEY, -- 'account:NAME' or 'address:IP'
    failures bigint       NOT NULL,
    last_at  bigint       NOT NULL,
    until_at bigint       NOT NULL -- no try before
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS audit (
    id      bigint       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at      bigint       NOT NULL,
    who     varchar(190) NOT NULL, -- '' = nobody signed in
    role    varchar(40)  NOT NULL,
    via     varchar(40)  NOT NULL,
    action  varchar(190) NOT NULL,
    target  mediumtext   NOT NULL,
    detail  mediumtext   NOT NULL,
    outcome varchar(40)  NOT NULL, -- 'done', 'refused' or 'failed'
    address text         NOT NULL, -- of the client
    server  varchar(190) NOT NULL  -- that answered
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*!80000 utf8mb4_0900_bin */ /*M!100000 utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE audit, strike, set_up, api_token, session, account;
