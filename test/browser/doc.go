// Package browser tests the console as a person uses it: Debian's Chromium,
// driven from Go, against real tieline processes over PostgreSQL and SQLite.
//
// A test gets a site (servers, database, a ticket desk, accounts) and opens tabs
// on it. A tab finds buttons and fields by the words a person reads, so that a
// control without a name cannot be tested, and fails its test by itself when a
// page logs an error, breaks its content security policy or asks another host
// for anything.
//
//	func TestRetry(t *testing.T) {
//		onEach(t, func(t *testing.T, s *site) {
//			tab := s.signIn(t, operator)
//			tab.open("/parked")
//			tab.submit("Retry now")
//			tab.sees("due now")
//		})
//	}
//
// Pages that only show something share one site per database ("gallery"), which
// has every kind of alert; what changes servers or roles has a site of its own.
// Every page of the console's route table is opened, checked with axe-core,
// weighed and drawn; a parameter of a new route needs a value in pages_test.go.
//
// TIELINE_TEST_CHROMIUM and TIELINE_TEST_AXE name the browser and axe.js;
// test/peers/chromium.sh and test/peers/axe.sh print them. Without them, or
// without PostgreSQL, the tests fail.
package browser
