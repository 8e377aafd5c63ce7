package store

import (
	"testing"
	"time"
)

func TestFloorServesUntilItIsRaisedOrOld(t *testing.T) {
	var f floors
	now := time.Unix(1000, 0)
	if at, serves := f.use("tickets", now); at != 0 || serves {
		t.Fatalf("a floor nobody found: %d, %v", at, serves)
	}
	f.set("tickets", 0, 500, now)
	for i := 1; i < floorClaims; i++ {
		if at, serves := f.use("tickets", now); at != 500 || !serves {
			t.Fatalf("use %d: %d, %v", i, at, serves)
		}
	}
	if at, serves := f.use("tickets", now); at != 500 || serves {
		t.Fatalf("after %d claims: %d, %v; it is to be raised from 500", floorClaims, at, serves)
	}
	f.set("tickets", 500, 700, now.Add(floorLife/2))
	if at, serves := f.use("tickets", now.Add(floorLife)); at != 700 || !serves {
		t.Errorf("raised: %d, %v", at, serves)
	}
	if at, serves := f.use("tickets", now.Add(floorLife+1)); at != 0 || serves {
		t.Errorf("raising made it young again: %d, %v", at, serves)
	}
	if at, serves := f.use("files", now); at != 0 || serves {
		t.Errorf("another connector: %d, %v", at, serves)
	}
}

// TestDueBelowTheFloor sets the database's clock back, as far as links can
// tell: what becomes due below the floor is found once the floor is old.
func TestDueBelowTheFloor(t *testing.T) {
	db := open(t, freshPostgres(t))
	run(t, db, `INSERT INTO link SELECT gen_random_uuid(), 'tickets', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '',
		1, 0, '', NULL, 0, 0, 0, '', now, 0, now, now, 0 FROM clock`)
	if _, ok, err := db.NextDue(t.Context(), "tickets"); !ok || err != nil {
		t.Fatalf("due now: %v %v", ok, err)
	}
	run(t, db, "UPDATE link SET due_at = due_at - 7200000000")
	if _, ok, err := db.NextDue(t.Context(), "tickets"); ok || err != nil {
		t.Fatalf("below the floor: %v %v", ok, err)
	}
	old := db.floors.of["tickets"]
	old.found = old.found.Add(-floorLife)
	db.floors.of["tickets"] = old
	if wait, ok, err := db.NextDue(t.Context(), "tickets"); !ok || wait != 0 || err != nil {
		t.Errorf("once the floor is old: %v %v %v", wait, ok, err)
	}
}
