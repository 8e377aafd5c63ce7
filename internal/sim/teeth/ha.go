package main

// safeguards take each safeguard of package ha out of its decisions. The tests
// that its doc.go names for the rule must notice, whatever else does.
var safeguards = []mutation{
	{rule: "L1", broken: "a term goes on when its promised length is up without an answer", by: "TestL1TermStopsBeforeItsPromisedLengthIsUp", edits: []edit{
		{haDir + "step.go", "if t.phase == adopting || t.phase == releasing {", "if t.phase == adopting || t.phase == releasing || t.phase == working {"},
	}},
	{rule: "L1", broken: "a lease is renewed although the work loop stands still", by: "TestL1StuckWorkIsNotRenewed", edits: []edit{
		{haDir + "tenure.go", "return now.Boot-t.moved > max(k.timing.Stall, t.settings.Polling)", "return false"},
	}},
	{rule: "L2", broken: "watchers go by their own settings, not by what was promised", by: "TestL2SettingsChangedLiveDeposeNobody", edits: []edit{
		{haDir + "bid.go", "return bid{due: w.since + l.Promised + k.stagger", "s, _ := k.settings(l.Connector)\n\treturn bid{due: w.since + s.Length() + k.stagger"},
	}},
	{rule: "L3", broken: "a released lease that nobody took is not taken back", by: "TestL3ReleaserTakesBackWhatNobodyTook", edits: []edit{
		{haDir + "bid.go", "return bid{due: r.at + r.wait, reason", "return bid{due: r.at + 1<<60, reason"},
	}},
	{rule: "L3", broken: "the others wait for a named successor without end", by: "TestL3ReleaseToADeadSuccessorFallsToTheNext", edits: []edit{
		{haDir + "bid.go", "due += k.timing.Exclusive", "due += 1 << 60"},
	}},
	{rule: "L4", broken: "nobody waits for the Active's presence", by: "TestL4TwoCrashesInARow", edits: []edit{
		{haDir + "watch.go", "if !k.open || !k.read || k.stopping {", "if k.open || !k.open {"},
	}},
	{rule: "L4", broken: "a presence under an earlier name counts", by: "TestL4PresenceCutAloneIsForgivenWithinTheGrace|TestL6DecidesOnAReadingMadeAfterTheWait", edits: []edit{
		{haDir + "bid.go", "\tif !granted || holder.Presence == \"\" {", "\tfor _, g := range k.granted {\n\t\tat, granted = max(at, g), true\n\t}\n\tif !granted || holder.Presence == \"\" {"},
	}},
	{rule: "L4", broken: "a young session believes that a name nobody holds was held", by: "TestL4SlowReconnectAfterADatabaseRestartIsWaitedFor", edits: []edit{
		{haDir + "bid.go", "if !k.seenHeld[holder.Presence] {", "if false {"},
	}},
	{rule: "L5", broken: "silence is not acted upon", by: "TestL5SilentActiveIsReplacedAfterItsPromisedLength|TestL5ColdStart", edits: []edit{
		{haDir + "bid.go", "return bid{due: w.since + l.Promised + k.stagger(now, l.Connector), reason: ReasonSilence}", "return bid{due: 1 << 60, reason: ReasonSilence}"},
	}},
	{rule: "L5", broken: "silence counts also while nothing was watched", by: "TestL5SilenceCountsOnlyWhileConnected|TestL4DatabaseRestartShufflesNobody", edits: []edit{
		{haDir + "watch.go", "\tif first {\n\t\tw.since", "\tif false {\n\t\tw.since"},
	}},
	{rule: "L6", broken: "a take-over is decided on an old reading", by: "TestL6DecidesOnAReadingMadeAfterTheWait", edits: []edit{
		{haDir + "bid.go", "if k.sent.Boot < b.due {", "if false {"},
	}},
	{rule: "L6", broken: "a row that names this process is not adopted", by: "TestL6LostTakeOverAnswerIsMyTerm|TestL4DatabaseRestartShufflesNobody", edits: []edit{
		{haDir + "tenure.go", " || !k.names(l) || k.foreign(l) {", " || !k.names(l) || k.names(l) {"},
	}},
	{rule: "L6", broken: "a restarted server takes its own lease back at once", by: "TestL6RestartedServerYieldsUnlessAlone|TestL6CrashLoopCostsOneTakeOver", edits: []edit{
		{haDir + "bid.go", "if k.others(now, l.Connector) {", "if false {"},
	}},
	{rule: "L6", broken: "a server that cannot run the document takes over", by: "TestL6IneligibleServersTakeNothing", edits: []edit{
		{haDir + "knowledge.go", "return k.reports[connector].Eligible", "return true"},
	}},
	{rule: "L7", broken: "failback does not wait for steadiness, nor for the hold-down", by: "TestL7FailbackAutomaticWaitsForSteadiness", edits: []edit{
		{haDir + "steer.go", "w == nil || now.Boot-w.changed < w.hold {", "w == nil {"},
		{haDir + "steer.go", "if steady {", "if steady || !steady {"},
	}},
	{rule: "L8", broken: "a change of the database's history is not noticed", by: "TestL8ChangedHistoryJumpsTheEpoch", edits: []edit{
		{haDir + "tenure.go", "return l.Identity != \"\" && l.Identity != k.group.Identity", "return false"},
	}},
}

// waits take ha's waits away, or cut them to nothing.
var waits = []mutation{
	{rule: "L1", broken: "a term goes on until its promised length is up to the last moment", by: "TestL1TermStopsBeforeItsPromisedLengthIsUp", edits: timing("Margin:     time.Second", "Margin:     0")},
	{rule: "L1", broken: "work that moves every few seconds counts as stuck", by: "TestL1WorkThatMovesEveryFewSecondsIsRenewed", edits: timing("Stall:      10 * time.Second", "Stall:      0")},
	{rule: "L3", broken: "a planned end does not wait for what is in flight", by: "TestL3StopFinishesWhatIsInFlight", edits: timing("Drain:      10 * time.Second", "Drain:      0")},
	{rule: "L3", broken: "a named successor has the lease not to itself", by: "TestL7MakeActive", edits: timing("Exclusive:  time.Second", "Exclusive:  0")},
	{rule: "L3", broken: "the releaser takes its lease back at once", by: "TestL3FailingWorkMovesTheLeaseWithoutHaste", edits: timing("TakeBack:   2 * time.Second", "TakeBack:   20 * time.Millisecond")},
	{rule: "L4", broken: "no grace to reconnect", by: "TestL4PresenceCutAloneIsForgivenWithinTheGrace", edits: timing("Grace:      500 * time.Millisecond", "Grace:      0")},
	{rule: "L4", broken: "a young session proves what an old one does", by: "TestL4SlowReconnectAfterADatabaseRestartIsWaitedFor", edits: timing("Young:      6 * time.Second", "Young:      0")},
	{rule: "L6", broken: "Passives do not stand in line", by: "TestL6StaggeredInOrder", edits: timing("Stagger:    150 * time.Millisecond", "Stagger:    0")},
	{rule: "L6", broken: "a restarted server yields for no time", by: "TestL6RestartedServerYieldsUnlessAlone|TestL6CrashLoopCostsOneTakeOver", edits: timing("Yield:      3 * time.Second", "Yield:      0")},
	{rule: "L7", broken: "no hold-down after a change", by: "TestL7HoldDown.*", edits: timing("HoldDown:   time.Minute", "HoldDown:   0")},
	{rule: "L7", broken: "the hold-down never grows", by: "TestL7HoldDown.*", edits: timing("MaxHold:    time.Hour", "MaxHold:    0")},
}
