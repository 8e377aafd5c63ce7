// Package ha is availability: it sees to it that of a connector's servers exactly
// one works, soon, and the right one. It knows servers and time. It knows no
// alert, no SQL and no HTTP.
//
// # Safety is in the claims, liveness in the leases
//
// Read everything below with this in mind: nothing in this package keeps a ticket
// from being created twice. The claims do (rules C1-C10, packages forward and
// store): a send needs a claim that the database confirmed, on the very link, in a
// statement that compares the lease's epoch and the database's history, and it may
// start only within a send window measured from before that statement. Whoever
// holds those rules may be deposed at any moment, by anybody, wrongly, while it is
// frozen in the middle of a call, and still no two windows for one link are open
// at once, no result is lost and no order is broken. A lease is therefore allowed
// to be wrong for a while. It is not allowed to stay wrong, and being wrong costs
// time: a needless change of Active means a window's wait for the links in flight.
//
// So the rules L are judged by other questions than the rules C: how long does
// nobody work after a crash, how often does the lease move without need, and does
// it come to rest. What a change here can break is liveness. The one thing the
// claims take from here on trust is the meaning of an epoch:
//
//   - an epoch of a connector belongs to one process for ever, and epochs only grow,
//     also when the history of the database itself changes (the transitions in
//     rows.go, which the SQL has to follow: package hatest compares them);
//   - a Term begins no earlier than the answer to the take-over, or to the renewal,
//     that the process learnt its epoch from, so that Term.Age may be waited on for
//     the claims of terms before (rule C4).
//
// # The parts
//
//	rows.go       what a statement does to a row, as pure functions
//	group.go      a reading of the group, and the states people see
//	knowledge.go  what one server knows: the pure core. No I/O, no clock
//	watch.go        of others: beats, silence, presence, order
//	tenure.go       of its own terms: trust, progress, adoption
//	bid.go          when may it take a lease, and why
//	steer.go        when must it hand one over, and to whom
//	step.go         the next thing to do, as data: a Plan
//	runner.go     does what the plan says: session.go, waits.go, work.go
//
// The core is a function of what it was told: the same events give the same plans.
// The Runner adds goroutines and timers and decides nothing. One loop owns the
// Knowledge; a second goroutine owns the coordination session and makes one call at
// a time; each presence that is waited for has one, and each term's work. The loop
// never blocks: not on the database, not on work that does not return.
//
// # Assumptions
//
//   - A commit that the database confirmed stays. Where that fails (a failover to a
//     replica that lagged, a restore), the history's name changes: rule L8.
//   - A statement is atomic, and a reading is consistent and not stale.
//   - A boot id is random and its process's own. A process knows no other's.
//   - A call returns when its context ends. Its outcome is then unknown, and unknown
//     it stays until the rows are read again: nothing is ever guessed.
//
// Not assumed: that clocks agree, or that they run at the same rate to better than
// the margin; that messages arrive, in order, or once; that a process that said it
// would stop does; that presence works at all.
//
// # Time
//
// No two machines' clocks are compared, and no server judges another by a stamp.
// Waiting is measured by one's own clock, which has two readings (Instant). Where
// ending late is the danger (my own trust in my term), what passed is the larger of
// both (Since): a suspended or stepped machine stops early. Where ending early is
// the danger (somebody else's silence, a grace, a stagger), boot time alone counts
// (Waited), which nobody can step. A server's Silence, measured by the database
// alone, is shown to people; here it only helps a cold start to rank the servers.
//
// # One server, one connector
//
//	       the lease is free: bid.go says when and why
//	     ┌────────────────────────────────────────────────┐
//	     │                                                ▼
//	┌─────────┐   the row names my boot id:          ┌─────────┐
//	│ Passive │ ─────── renew, then ───────────────▶ │  taken  │
//	└─────────┘          (adopting)                  └────┬────┘
//	 ▲   ▲   ▲                                            │ the work of my term
//	 │   │   │                                            ▼ before has returned
//	 │   │   │    deposed, not confirmed in time,    ┌─────────┐
//	 │   │   └───── the history changed ──────────── │ working │ ─┐ the work failed
//	 │   │          (its context is cancelled)       └────┬────┘  │
//	 │   │                                                │ stop, Make Active, failback,
//	 │   │          the same                         ┌────▼─────┐ │ remote, not eligible
//	 │   └────────────────────────────────────────── │ draining │ │
//	 │                                               └────┬─────┘ │
//	 │                                                    │ returned, or
//	 │              released, or found to be        ┌─────▼─────┐ │ 10 s are up
//	 └───────────────────────────────────────────── │ releasing │◀┘
//	                                                └───────────┘
//
// People see Active for taken to releasing, Passive, and Offline for a server that is
// silent or dead. These three are derived from the rows (StateOf) and never stored.
//
// A lease row is free when it names nobody (released, or never held), when it names
// a process that its server's row no longer shows (it restarted, stopped, or was
// removed), when the presence of the named process is held by nobody (it died), or
// when its beat stands still (silence). bid.go has one function for each.
//
// # What happens when
//
//	the Active's process dies             presence is granted 1 ms later; the grace of
//	                                      500 ms; the first in order takes over
//	and its successor dies too            the same again: every take-over wakes everybody,
//	                                      who then wait for the new Active's presence
//	it dies and restarts, again and again its row shows a new boot id, which is proof: the
//	                                      others take over at once; it yields for 3 s
//	its host is lost, it is partitioned   its own term ends after the promised length less
//	or frozen                             the margin; the others' watch ends after it. When
//	                                      it comes back, it reads that it was deposed
//	its session is cut                    its wait for its own presence tells it at once; it
//	                                      is back under a fresh name within the grace
//	the database restarts                 every name is free for a moment, and every session
//	                                      is young: nobody acts for 6 s, by which time all
//	                                      have published fresh names
//	the database is away for long         terms end when nothing confirms them; silence does
//	                                      not count, since nobody could be heard; whom the
//	                                      row names renews it first, and goes on
//	an answer is lost: heartbeat          the same number is sent again
//	    take-over                         the row names my boot id: it is my term
//	    release                           repeated, or found done
//	a planned stop                        drain, release naming the successor, wake: < 50 ms
//	and the successor is dead             after 1 s the order counts; after 2 s the releaser
//	                                      takes it back, unless it is stopping
//	work fails, or panics                 released; taken back after 2 s, 4 s, 8 s ... if
//	                                      nobody else can
//	work stands still                     not renewed; the term ends; somebody else has it
//	work does not return when cancelled   nothing waits for it but this server's next term
//	the settings change                   the row keeps what was promised until it is renewed
//	a second process takes the name       the first finds another boot id in its row: exits
//	the history of the database changes   the epoch jumps by 2^20, once; the first in order has
//	                                      the lease to itself for the grace, then the order decides
//
// # Why the invariants hold
//
// One Active, epochs only grow. The row names one process. It changes by four
// transitions only, each a compare-and-swap on the epoch: Taken adds one, Doubted
// 2^20, Released and Renewed nothing. Taken also compares the beat, and Released
// raises it, so a take-over passes only if nothing at all happened to the row since
// the reading that it was decided on: a server that slept for an hour, or that the
// network delayed, deposes nobody. Release keeps the row, so no epoch comes twice.
// A history that lost its last commits may have lost epochs as well: hence the
// jump, which is larger than what can have been lost, and Taken refuses a row of
// another history, so that nobody goes around it.
//
// A deposed server knows, or will before long, and need not. It knows from the next
// reading, or because nothing confirmed its term for the promised length. That is
// counted from when the confirmed request was sent, the watchers count from when
// they received a reading, and the margin covers the rest: so where silence deposes,
// the term has ended first. Where presence deposes, the process is dead, or cut off
// from the database and back too late; then its claims fail, because they compare
// the epoch.
//
// It comes to rest. When faults end, somebody takes a free lease: the first in order
// at once, and if it does not, each of the others after its stagger. A swap that is
// lost was lost to somebody, whose beat then moves. No wait is without a bound: the
// successor's name 1 s, the yield 3 s, the grace 0.5 s, a young session 6 s,
// silence the promised length, a drain 10 s. The lease moves by choice only to a
// server that was steady for as long as it takes to be called Offline, and each
// reversal doubles the time to the next choice.
//
// Idle costs one transaction per server and polling interval, however many
// connectors: a heartbeat renews all leases, reads the group, and writes a report
// only if the rows do not show it.
//
// # The rules
//
// Each with the test that fails without it, and the wait of Timing it goes by. There
// is no way to run without a rule: to see its test fail, take the rule out of the
// source, as this does in a copy, for one rule or for all:
//
//	go run ./internal/sim/teeth -only L4 -units
//
// L1 Heartbeat. One round trip per polling interval; the number is a compare-and-swap
// that passes twice, because its answer may be lost
// (TestL1LostHeartbeatAnswerIsRetriedAndDeposesNobody); it costs one transaction
// (TestL1OneTransactionPerPollingInterval). Trust counts from the sending and ends a
// margin early (Margin: TestL1TermStopsBeforeItsPromisedLengthIsUp,
// TestL1TrustCountsFromTheSending). Only work that progresses is renewed
// (TestL1StuckWorkIsNotRenewed; Stall:
// TestL1WorkThatMovesEveryFewSecondsIsRenewed), and none holds up the heartbeat
// (TestL1WorkThatDoesNotReturnDoesNotBlockHeartbeats). A replaced process ends
// (TestL1ReplacedServerStops).
//
// L2 Promised length. Watchers go by the length in the row, as its owner last
// promised (TestL2SettingsChangedLiveDeposeNobody). The owner goes by
// the shorter one from the moment it sends it (TestL2ShorterPromiseHoldsFromItsSending),
// and beats at the pace of the old one until the new one is confirmed.
//
// L3 Planned end. Finish, release by name, wake (TestL3PlannedStopHandsOverAtOnce,
// TestL3StopFinishesWhatIsInFlight; Drain). The name is exclusive for a second
// (Exclusive: TestL7MakeActive), then the order counts
// (TestL3ReleaseToADeadSuccessorFallsToTheNext), and at last the releaser takes it
// back (TakeBack: TestL3ReleaserTakesBackWhatNobodyTook), further and
// further apart if its work fails (TestL3FailingWorkMovesTheLeaseWithoutHaste). An
// unknown outcome is found out (TestL3LostReleaseAnswerIsNotATermOfItsOwn).
//
// L4 Process death. The Passives wait for the Active's presence
// (TestL4TwoCrashesInARow), in a large group the next two only
// (TestL4OnlyTheNextTwoWaitInALargeGroup). Granted means suspect: the incumbent has
// the grace to publish a fresh name (Grace:
// TestL4PresenceCutAloneIsForgivenWithinTheGrace,
// TestL6DecidesOnAReadingMadeAfterTheWait), and it learns by its wait for its own
// presence that it must. What was suspected in an earlier session is forgotten
// (TestL4GrantIsForgottenWithTheSession); a name not seen held in this session counts
// only once the session is 6 s old (Young:
// TestL4SlowReconnectAfterADatabaseRestartIsWaitedFor), so that a restart of the
// database moves nothing (TestL4DatabaseRestartShufflesNobody). An old session may
// suspect a name it never saw held: a server that publishes a name holds it, and one
// that dies within a millisecond of its take-over would else be missed
// (TestL4TwoCrashesInARow).
//
// L5 Silence. A beat that stands still for the promised length, watched by one's own
// clock, and acted on when the watch ends, not at the next heartbeat
// (TestL5SilentActiveIsReplacedAfterItsPromisedLength, TestL5ColdStart). It counts only
// while one was connected (TestL5SilenceCountsOnlyWhileConnected,
// TestL4DatabaseRestartShufflesNobody), in boot time (TestL5OnlyTheBootClockCounts).
//
// L6 Take-over. The first in order tries at once, the k-th k staggers later (Stagger:
// TestL6StaggeredInOrder, TestKilledActiveIsReplacedWithinASecond). It is decided on a
// reading sent after the wait was over
// (TestL6DecidesOnAReadingMadeAfterTheWait) and passes only if the beat still stands
// (TestL5PausedPassivesDeposeNobody; hatest: "take-over is decided by epoch and beat").
// A row that names my boot id is my term, after a renewal
// (TestL6LostTakeOverAnswerIsMyTerm, TestL4DatabaseRestartShufflesNobody). Every change
// wakes everybody (TestL7MakeActive), and a wake-up that is lost costs time only
// (TestL6LostWakeUpsCostTimeOnly). A restarted server yields to live Passives unless it
// is alone (Yield: TestL6RestartedServerYieldsUnlessAlone,
// TestL6CrashLoopCostsOneTakeOver). Who cannot run the document takes nothing
// (TestL6IneligibleServersTakeNothing).
//
// L7 Choice. An operator's wish is followed as soon as the wished server is able
// (TestL7MakeActive, TestL7WishWaitsForAServerThatIsNotAble), and withdrawn once that
// server is Offline (TestL7WishForADeadServerEnds). Failback is manual
// (TestL7FailbackManualKeepsTheActive) or waits for a full tolerance of steadiness
// (TestL7FailbackAutomaticWaitsForSteadiness). Who cannot connect to the
// remote for a polling interval hands over to one that can
// (TestL7ActiveWithoutRemoteHandsOverToOneWith). Each reversal doubles the hold-down
// (HoldDown, MaxHold: TestL7HoldDownDoublesWithEachReversal, TestL7HoldDown).
//
// L8 Database identity. The lease remembers the history its epoch belongs to. When the
// reading names another, the term ends, and one server moves the lease to it
// (TestL8ChangedHistoryJumpsTheEpoch). The first in order that lives follows, whoever
// moved it: the others wait the grace before their staggers, because everybody comes
// back at about the same time and the work of the last term has to return
// (TestL8FirstInOrderFollows, TestL8DeadFirstInOrderIsWaitedForOnce). Who takes longer
// than that has lost its turn until failback (TestL8FailbackBringsTheLeaseHome). Rows
// that went back in time are counted on from (TestL8RestoredRowsAreCountedOnFrom).
//
// L9 Removal. An Active that is no member hands over first
// (TestL9ActiveThatIsNoMemberHandsOver); a heartbeat never inserts a row
// (TestL9HeartbeatInsertsNoRow); who was removed takes nothing, whatever it read
// (hatest: "take-over is for members only"). The transition is Lease.Without.
//
// TestChaos throws all of it at a group at random; the simulation (package sim) does so
// at length, with the claims.
package ha
