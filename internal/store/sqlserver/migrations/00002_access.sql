-- +goose Up

-- Who may do what. Whatever could be used to get in is here as a hash only.

CREATE TABLE account (
    name         nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, -- lower case
    kind         nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL, -- 'local' or 'oidc'
    subject      nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL, -- of 'oidc': who the provider says it is
    role         nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL, -- 'viewer', 'operator' or 'admin'
    password     nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL, -- argon2id in PHC form; '' = none
    generation   bigint NOT NULL, -- grows with each change that ends the sessions
    created_at   bigint NOT NULL,
    changed_at   bigint NOT NULL,
    signed_in_at bigint NOT NULL -- 0 = never
);

CREATE TABLE session (
    hash       nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, -- of the id that the browser has
    account    nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    generation bigint NOT NULL, -- the account's when it signed in
    data       nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL, -- JSON
    address    nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL, -- where it signed in from
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL, -- to the minute
    expires_at bigint NOT NULL
);
CREATE INDEX session_by_account ON session (account);

CREATE TABLE api_token (
    name       nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, -- lower case
    hash       nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    role       nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    created_by nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    used_at    bigint NOT NULL -- to the minute; 0 = never
);
CREATE UNIQUE INDEX api_token_by_hash ON api_token (hash);

-- One row for each set-up link that was printed while there was no administrator.
CREATE TABLE set_up (
    hash       nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    expires_at bigint NOT NULL
);

-- Failed sign-ins in a row, of an account or an address.
CREATE TABLE strike (
    name     nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, -- 'account:NAME' or 'address:IP'
    failures bigint NOT NULL,
    last_at  bigint NOT NULL,
    until_at bigint NOT NULL -- no try before
);

CREATE TABLE audit (
    id      bigint IDENTITY NOT NULL PRIMARY KEY,
    at      bigint NOT NULL,
    who     nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL, -- '' = nobody signed in
    role    nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
    via     nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    action  nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    target  nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    detail  nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    outcome nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL, -- 'done', 'refused' or 'failed'
    address nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL, -- of the client
    server  nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL -- that answered
);

-- +goose Down
DROP TABLE audit;
DROP TABLE strike;
DROP TABLE set_up;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE account;
