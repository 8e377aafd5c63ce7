// Package forward works a connector's links while this server is its Active: it
// claims what is due, makes each ticket match its alert, records what happened,
// and brings back what the remote system says.
//
// # Parts
//
// The plan (Next, After) is pure: given a claimed link, what it should show and
// what the remote offers, it names the next operation, and given the answer it
// says what is then known. The complete exploration in package sim drives
// these two functions and nothing else. A Forwarder executes the plan: its
// claimer, senders and recorder live for one term (Run), but what a term left in
// flight is recorded in the background after it (Close waits for that).
//
//	claimer ──jobs──▶ senders ──outcomes──▶ recorder
//	  │ claim, read     │ plan, window check, call │ many in one transaction
//	  └ sweep           └ breaker, rate            └ until it is recorded
//
// # What a link goes through
//
// Fresh creates at once. Whatever else may have been sent is looked for: a
// create of unknown outcome, or one whose claim expired, is Uncertain; a look
// that finds nothing makes it Looked, held for the settle time; a second look
// that finds nothing creates. A create or a find that was not the first word is
// looked at once more a settle time later (Verify). Verify that finds several
// open tickets commits survivor and twins (Twins) before it merges; one ticket is
// read back, and sent again where it shows anything else. An update of unknown
// outcome is Verify too.
//
// Remotes that cannot be looked up are told again: with the same key by create
// while Uncertain, and from Verify with the newest revision. Verify itself never
// writes: it makes the link due, and the write follows from Settled, where a
// crash is noticed. So a write is under way only under claims of links in the
// stages Fresh, Uncertain and Looked (creates), Settled (updates, notes) and
// Twins (merges, harmless when repeated), and one write at most under one claim,
// merges excepted.
//
// Parked links are tried again by themselves when their cause may have gone: a
// failed mapping and a refusal with the next version of the document, attempts
// that ran out once another write succeeds, after pauses that grow (comeback).
//
// The first term in another history of the database, which may lack commits that
// were confirmed, takes in all that the sources announce and compares the remote's
// listing as it begins (rule L8). A bookmark says in which history that was done last,
// so that a term that ends before it has leaves it to the next.
//
// The way back is the same machine on links of side Source; their writer is
// idempotent by its key.
//
// # Why it is safe
//
// The invariants are those of the design; the rules C1-C10 are kept here and in
// the store. Nothing below assumes that this server is the only Active: anybody
// may take over at any time.
//
// Invariant 2, one sender. A send starts only for a job, a job exists only for
// a claim that the database confirmed under an id that nobody else chose (C1,
// C2), and it starts only while the claim's window is open on a clock that was
// read before the claim was asked for (C3). A claim is taken from its owner by
// Expire alone, which touches claims of earlier epochs after a full window of
// the term's own clock, begun when the take-over was answered (C4): a claim of an
// earlier epoch was asked for before that. Claims of this epoch are touched only
// when they were nobody's here at two looks a full window apart. A call starts
// only if its deadline also lies in the window, so that an adapter that goes on
// to its next endpoint does so inside it. A process frozen between check and
// send is the slow remote of C6.
//
// Invariant 3, nothing lost. A link is due until it is Settled at its wanted
// revision, parked or skipped; nothing here skips a link but for handing its
// ticket on. A job ends in an outcome or stays claimed. Outcomes are recorded
// without a deadline, also after the term (C5), and one that the database refuses
// holds up no other. What stays claimed is found by the sweep (C4) and becomes
// Uncertain or Verify. Every verdict that is not at rest leaves the link due.
//
// Invariant 4, no second ticket. A create is sent from Fresh, where nothing was
// ever sent, or after look, settle, look (C8). If it may have been carried out
// all the same, or may yet be, a look follows when that time is over (C6), and
// finds twins, which are merged into the lowest open one that was committed first
// (C7): whoever merges after a crash merges the same. The key is made of the
// UUIDs of group, connector and alert, which no restore repeats (C10). An answer whose claim was replaced leaves
// evidence, and evidence is verified (C5).
//
// Invariant 5, in order. One claim, one sender: calls for a link never overlap
// but for those whose answer was lost, and after such a one the ticket is read
// back a settle time later (C6). What is recorded as delivered is the revision
// the payload was read with, never the wanted one of now. Notes follow the state,
// one per claim, each recorded before the next.
//
// Invariant 7, nothing unclaimed. There is no path to an adapter's write but
// through a job (C9); polls, lists and looks only read. What is received moves
// the bookmark by compare-and-swap in the fenced transaction that stores it.
//
// # Each rule and its test
//
//	C1  TestC1AClaimOfAnEndedTermBringsNothingAndEndsTheWork
//	C2  TestC2ALostClaimAnswerIsReadAgain, TestC2AClaimThatNeverArrivedIsMadeAgain
//	C3  TestC3NothingIsSentAfterTheWindow, TestC3TheWindowBeginsBeforeTheClaimIsSent,
//	    TestC3ACallEndsWithinTheWindow
//	C4  TestC4ANewTermLeavesEarlierClaimsAloneForAWindow,
//	    TestC4HoldsOfEarlierTermsEndASettleTimeAfterTheSweep,
//	    TestC4AClaimStuckInTheSameTermIsRecovered
//	C5  TestC5OutcomesAreRecordedAfterTheTermWasLost, TestC5TheRecorderSurvivesADatabaseOutage,
//	    TestC5ALostRecordAnswerOnlyCostsALook, TestC5TheResultOfAReplacedClaimIsEvidence,
//	    TestC5AnOutcomeTheDatabaseRefusesHoldsUpNoOther
//	C6  TestC6AnUnknownCreateIsLookedUpTwiceBeforeAnother, TestC6AnUnknownCreateThatHappenedIsFound,
//	    TestC6ALateCreateIsFoundBeforeAnotherIsMade, TestC6AnUnknownUpdateIsReadBackASettleTimeLater,
//	    TestC6ALateOlderUpdateIsNoticedAndMended, TestC6AClaimThatExpiredAtASettledLinkIsVerified
//	C7  TestC7TwinsAreCommittedThenMergedIntoTheLowest, TestC7ATwinsNewsNeverReachesTheAlert
//	C8  TestC8AnExpiredCreateEndsWithLookSettleLook
//	C9  TestC9WritesToASourceFollowTheSameRules, TestALostReceiveAnswerLosesNoNews
//	C10 TestC10KeysAreTheGroupsAndTheAlerts
//
// # Limits of what is claimed here
//
// What a source was told later than settling allows is not found again: sources
// are told and never read. The send window must not be shortened for a term that may still be sending: a
// tenure uses the shorter of its term's and its document's window for sending and
// the longer for waiting, which covers one server that knows both. Somebody's
// change of a ticket's state between our last poll and a read back after an
// unknown outcome looks like a late write of ours, and is put right.
package forward
