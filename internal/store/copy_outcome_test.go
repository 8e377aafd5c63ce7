package store

import (
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"tieline/internal/fault"
)

// TestCopyWhoseLastAnswerWasLost: one database at most is in service, whatever
// became of the transaction that puts the new one into service.
func TestCopyWhoseLastAnswerWasLost(t *testing.T) {
	lost := errors.New("the answer was lost")
	for name, tt := range map[string]struct {
		finishing, committed, away bool
		old                        string
		says                       error // nil = the copy is done after all
	}{
		"before it":             {old: "plant", says: lost},
		"it did not take place": {finishing: true, old: "plant", says: lost},
		"it took place":         {finishing: true, committed: true, old: "plant" + markMoved},
		"nobody knows":          {finishing: true, committed: true, away: true, old: "plant" + markEnding, says: lost},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				old, err := Open(t.Context(), url, Options{Migrate: true})
				if err != nil {
					t.Fatal(err)
				}
				defer old.Close()
				fresh, err := Open(t.Context(), freshSQLite(t), Options{Migrate: true})
				if err != nil {
					t.Fatal(err)
				}
				defer fresh.Close()
				if err := old.rename(t.Context(), []string{""}, "plant"+markEnding); err != nil {
					t.Fatal(err)
				}
				there := "plant" + markCopy
				if tt.committed {
					there = "plant"
				}
				if err := fresh.rename(t.Context(), []string{""}, there); err != nil {
					t.Fatal(err)
				}
				if tt.away {
					fresh.Close()
				}
				c := &copying{old: old, fresh: fresh, name: "plant", finishing: tt.finishing, left: []string{"plant" + markEnding}}
				err = c.fail(t.Context(), lost)
				if back := tt.old == "plant"; c.out.Back != back {
					t.Errorf("it says that the old database is in service: %t", c.out.Back)
				}
				if !errors.Is(err, tt.says) || tt.away != (fault.KindOf(err) == fault.Unavailable) {
					t.Errorf("the error is %v", err)
				}
				if g, err := old.groupRow(t.Context()); err != nil || g.name != tt.old {
					t.Errorf("the old group is called %q (%v), want %q", g.name, err, tt.old)
				}
			})
		})
	}
}

// TestCopyThatStoodStill: one whose process stood still while another copy ended the
// move changes neither database, whatever it would have done next.
func TestCopyThatStoodStill(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		target := freshSQLite(t)
		ctx := t.Context()
		prepared, err := Open(ctx, url, Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		defer prepared.Close()
		if err := prepared.rename(ctx, []string{""}, "plant"); err != nil {
			t.Fatal(err)
		}
		fresh, err := Open(ctx, target, Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		group, err := prepared.groupRow(ctx)
		if err != nil {
			t.Fatal(err)
		}
		unmarkedTarget, err := fresh.groupRow(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Copy(ctx, url, target, CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		before, err := fresh.digest(ctx, tableNamed("audit"))
		if err != nil {
			t.Fatal(err)
		}
		still := func() *copying {
			return &copying{old: prepared, fresh: fresh, group: group, name: "plant", left: []string{"plant", "plant" + markMoving},
				o: CopyOptions{Progress: func(string, int64, bool) {}}}
		}
		lost := errors.New("the connection was ended")
		for step, f := range map[string]func(c *copying) error{
			"prepare":             func(c *copying) error { return c.prepare(ctx, unmarkedTarget) },
			"empty":               func(c *copying) error { return c.fresh.empty(ctx, "plant"+markCopy, "audit") },
			"take out of service": func(c *copying) error { return c.withdraw(ctx) },
			"put into service":    func(c *copying) error { return c.finish(ctx) },
			"put back":            func(c *copying) error { return c.fail(ctx, lost) },
			"give up":             func(c *copying) error { return c.fail(ctx, errors.Join(lost, errOvertaken)) },
		} {
			if err := f(still()); err == nil {
				t.Errorf("%s: no error", step)
			}
		}
		after, err := fresh.digest(ctx, tableNamed("audit"))
		if err != nil || !after.equal(before) {
			t.Errorf("the audit of the database in service was changed (%v)", err)
		}
		if g, err := prepared.groupRow(ctx); err != nil || g.name != "plant"+markMoved {
			t.Errorf("the old group is called %q (%v)", g.name, err)
		}
		if g, err := fresh.groupRow(ctx); err != nil || g.name != "plant" {
			t.Errorf("the new group is called %q (%v)", g.name, err)
		}
	})
}

// TestCopyBesideOneThatStoodStill: one that stood still finds neither database as it
// left it once another copy has begun, whatever became of that one.
func TestCopyBesideOneThatStoodStill(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		old, err := Open(ctx, url, Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if err := old.rename(ctx, []string{""}, "plant"); err != nil {
			t.Fatal(err)
		}
		fresh, err := Open(ctx, freshSQLite(t), Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		begin := func() *copying {
			group, err := old.groupRow(ctx)
			if err != nil {
				t.Fatal(err)
			}
			target, err := fresh.groupRow(ctx)
			if err != nil {
				t.Fatal(err)
			}
			c := &copying{old: old, fresh: fresh, group: group, name: "plant", whose: newWhose(), left: []string{group.name}}
			if err := c.prepare(ctx, target); err != nil {
				t.Fatal(err)
			}
			return c
		}
		still := begin()
		if err := still.withdraw(ctx); err != nil {
			t.Fatal(err)
		}
		begin() // and killed here
		if err := still.finish(ctx); !errors.Is(err, errOvertaken) {
			t.Errorf("the first puts tables into service that another emptied: %v", err)
		}
		again := begin()
		if err := again.withdraw(ctx); err != nil {
			t.Fatal(err)
		}
		if err := again.fail(ctx, errors.New("interrupted")); !again.out.Back {
			t.Fatalf("the old database is not in service: %v", err)
		}
		if err := still.mark(ctx, markEnding); !errors.Is(err, errOvertaken) {
			t.Errorf("a database in service is taken out of it by a copy that stood still: %v", err)
		}
		if g, err := old.groupRow(ctx); err != nil || g.name != "plant" {
			t.Errorf("the old group is called %q (%v)", g.name, err)
		}
	})
}

func tableNamed(name string) copied {
	return tables[slices.IndexFunc(tables, func(t copied) bool { return t.name == name })]
}

// TestCopyWaitsForATransactionThatIsUnderWay: what the new database is asked
// after its answer was lost is answered when nothing can change it any more.
func TestCopyWaitsForATransactionThatIsUnderWay(t *testing.T) {
	for _, url := range map[string]string{"postgres": freshPostgres(t), "mariadb": freshMariaDB(t)} {
		db := open(t, url)
		if err := db.rename(t.Context(), []string{""}, "plant"+markCopy); err != nil {
			t.Fatal(err)
		}
		tx, err := db.engine.Write.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE management_group SET name = 'plant'"); err != nil {
			t.Fatal(err)
		}
		type answer struct {
			name string
			err  error
		}
		said := make(chan answer, 1)
		go func() {
			name, err := db.settledName(t.Context())
			said <- answer{name, err}
		}()
		select {
		case a := <-said:
			t.Errorf("%s: answered %q (%v) while it could still change", db.Engine(), a.name, a.err)
			if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
				t.Error(err)
			}
			continue
		case <-time.After(200 * time.Millisecond):
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if a := <-said; a.err != nil || a.name != "plant" {
			t.Errorf("%s: answered %q (%v), want plant", db.Engine(), a.name, a.err)
		}
	}
}
