-- +goose Up

-- Who may do what. Whatever could be used to get in is here as a hash only.

CREATE TABLE account (
    name         text    PRIMARY KEY, -- lower case
    kind         text    NOT NULL,    -- 'local' or 'oidc'
    subject      text    NOT NULL,    -- of 'oidc': who the provider says it is
    role         text    NOT NULL,    -- 'viewer', 'operator' or 'admin'
    password     text    NOT NULL,    -- argon2id in PHC form; '' = none
    generation   integer NOT NULL,    -- grows with each change that ends the sessions
    created_at   integer NOT NULL,
    changed_at   integer NOT NULL,
    signed_in_at integer NOT NULL     -- 0 = never
);

CREATE TABLE session (
    hash       text    PRIMARY KEY, -- of the id that the browser has
    account    text    NOT NULL,
    generation integer NOT NULL,    -- the account's when it signed in
    data       text    NOT NULL,    -- JSON
    address    text    NOT NULL,    -- where it signed in from
    created_at integer NOT NULL,
    seen_at    integer NOT NULL,    -- to the minute
    expires_at integer NOT NULL
);
CREATE INDEX session_by_account ON session (account);

CREATE TABLE api_token (
    name       text    PRIMARY KEY, -- lower case
    hash       text    NOT NULL,
    role       text    NOT NULL,
    created_by text    NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    used_at    integer NOT NULL     -- to the minute; 0 = never
);
CREATE UNIQUE INDEX api_token_by_hash ON api_token (hash);

-- One row for each set-up link that was printed while there was no administrator.
CREATE TABLE set_up (
    hash       text    PRIMARY KEY,
    expires_at integer NOT NULL
);

-- Failed sign-ins in a row, of an account or an address.
CREATE TABLE strike (
    name     text    PRIMARY KEY, -- 'account:NAME' or 'address:IP'
    failures integer NOT NULL,
    last_at  integer NOT NULL,
    until_at integer NOT NULL     -- no try before
);

CREATE TABLE audit (
    id      integer PRIMARY KEY AUTOINCREMENT,
    at      integer NOT NULL,
    who     text    NOT NULL, -- '' = nobody signed in
    role    text    NOT NULL,
    via     text    NOT NULL,
    action  text    NOT NULL,
    target  text    NOT NULL,
    detail  text    NOT NULL,
    outcome text    NOT NULL, -- 'done', 'refused' or 'failed'
    address text    NOT NULL, -- of the client
    server  text    NOT NULL  -- that answered
);

-- +goose Down
DROP TABLE audit;
DROP TABLE strike;
DROP TABLE set_up;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE account;
