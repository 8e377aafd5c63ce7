package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/store/engine"
)

var _ access.Store = (*DB)(nil)

const accountColumns = "name, kind, subject, role, password, generation, created_at, changed_at, signed_in_at"

func scanAccount(row interface{ Scan(...any) error }) (access.Account, error) {
	var a access.Account
	var password string
	var created, changed, signedIn int64
	err := row.Scan(&a.Name, &a.Kind, &a.Subject, &a.Role, &password, &a.Generation, &created, &changed, &signedIn)
	a.Password = secret.New(password)
	a.CreatedAt, a.ChangedAt, a.SignedInAt = moment(created), moment(changed), moment(signedIn)
	return a, err
}

// Accounts lists the accounts by name.
func (db *DB) Accounts(ctx context.Context) ([]access.Account, error) {
	var all []access.Account
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		a, err := scanAccount(rows)
		all = append(all, a)
		return err
	}, "SELECT "+accountColumns+" FROM account ORDER BY name")
	return all, db.explain(err, "list the accounts")
}

// Account returns one account; fault.NotFound when there is none.
func (db *DB) Account(ctx context.Context, name string) (access.Account, error) {
	a, err := db.account(ctx, db.engine.Read, name)
	return a, db.explain(err, "read an account")
}

func (db *DB) account(ctx context.Context, q querier, name string) (access.Account, error) {
	a, err := scanAccount(q.QueryRowContext(ctx, "SELECT "+accountColumns+" FROM account WHERE name = $1", name))
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, fmt.Sprintf("there is no account %q", name)).WithNext("tieline user list shows those there are")
	}
	return a, err
}

// AddAccount stores a new account; fault.Conflict for a name in use.
func (db *DB) AddAccount(ctx context.Context, a access.Account) (access.Account, error) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		var err error
		a, err = db.addAccount(ctx, tx, a)
		return err
	})
	return a, db.explain(err, "add an account")
}

func (db *DB) addAccount(ctx context.Context, tx *sql.Tx, a access.Account) (access.Account, error) {
	if _, err := db.account(ctx, tx, a.Name); err == nil {
		return a, fault.New(fault.Conflict, fmt.Sprintf("there is an account %s already", a.Name)).WithNext("choose another name")
	} else if fault.KindOf(err) != fault.NotFound {
		return a, err
	}
	// The generation begins at the clock: a name that is given again has none it had before.
	_, err := tx.ExecContext(ctx, "INSERT INTO account ("+accountColumns+") SELECT $1, $2, $3, $4, $5, now, now, now, 0 FROM clock",
		a.Name, string(a.Kind), a.Subject, string(a.Role), a.Password.Reveal())
	if err != nil {
		return a, err
	}
	return db.account(ctx, tx, a.Name)
}

// ChangeAccount changes an account, raises its generation and ends its sessions.
// The error is fault.NotFound, fault.Conflict when it is not of the change's
// base, or fault.Refused when no administrator with a password would be left.
func (db *DB) ChangeAccount(ctx context.Context, name string, c access.AccountChange) (access.Account, error) {
	var changed access.Account
	err := db.transact(ctx, func(tx *sql.Tx) error {
		a, err := db.lockAccount(ctx, tx, name, c.Base)
		if err != nil {
			return err
		}
		if c.Role != "" && c.Role != access.Admin {
			if err := db.keepAdmin(ctx, tx, a); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE account SET generation = generation + 1, changed_at = `+engine.Now+`,
	role = CASE WHEN $2 = '' THEN role ELSE $2 END, password = CASE WHEN $3 = '' THEN password ELSE $3 END WHERE name = $1`,
			name, string(c.Role), c.Password.Reveal())
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE account = $1", name); err != nil {
			return err
		}
		changed, err = db.account(ctx, tx, name)
		return err
	})
	return changed, db.explain(err, "change an account")
}

// RemoveAccount removes an account with its sessions and the API tokens it made;
// fault.NotFound, fault.Conflict when it is not of the generation base (0 = any), or
// fault.Refused when no administrator with a password would be left.
func (db *DB) RemoveAccount(ctx context.Context, name string, base int64) error {
	err := db.transact(ctx, func(tx *sql.Tx) error {
		a, err := db.lockAccount(ctx, tx, name, base)
		if err != nil {
			return err
		}
		if err := db.keepAdmin(ctx, tx, a); err != nil {
			return err
		}
		for _, text := range []string{
			"DELETE FROM session WHERE account = $1", "DELETE FROM api_token WHERE created_by = $1", "DELETE FROM account WHERE name = $1",
		} {
			if _, err := tx.ExecContext(ctx, text, name); err != nil {
				return err
			}
		}
		return nil
	})
	return db.explain(err, "remove an account")
}

// lockAccount reads an account that will be changed, if it is of the generation
// base (0 = any). Changes of accounts take
// turns: two administrators who demote each other at once must not both succeed.
func (db *DB) lockAccount(ctx context.Context, tx *sql.Tx, name string, base int64) (access.Account, error) {
	if _, err := db.lockGroup(ctx, tx); err != nil {
		return access.Account{}, err
	}
	a, err := db.account(ctx, tx, name)
	if err == nil && base != 0 && base != a.Generation {
		err = fault.New(fault.Conflict, fmt.Sprintf("the account %s was changed in between", name)).WithNext("look at it again and repeat the change")
	}
	return a, err
}

// keepAdmin refuses a change after which a would be no administrator while there
// is no other one with a password.
func (db *DB) keepAdmin(ctx context.Context, tx *sql.Tx, a access.Account) error {
	if a.Kind != access.Local || a.Role != access.Admin {
		return nil
	}
	n, err := admins(ctx, tx)
	if err == nil && n <= 1 {
		err = fault.New(fault.Refused, a.Name+" is the last administrator with a password").
			WithNext("make somebody else an administrator first")
	}
	return err
}

func admins(ctx context.Context, q querier) (n int, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) FROM account WHERE kind = 'local' AND role = 'admin'").Scan(&n)
	return n, err
}

// UpgradePassword replaces a hash by another of the same password, if it is
// still the account's. The sessions go on.
func (db *DB) UpgradePassword(ctx context.Context, name string, old, hash secret.String) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET password = $3 WHERE name = $1 AND password = $2", name, old.Reveal(), hash.Reveal())
		return err
	})
	return db.explain(err, "store a password's hash")
}

// SignedIn notes that an account signed in now.
func (db *DB) SignedIn(ctx context.Context, name string) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET signed_in_at = "+engine.Now+" WHERE name = $1", name)
		return err
	})
	return db.explain(err, "note a sign-in")
}
