package main

// leaseMutations break rules L1 to L9.
var leaseMutations = []mutation{
	{rule: "L1", broken: "trust is counted from the answer, not from the request", edits: []edit{
		{haDir + "tenure.go", "t.proven, t.pending = promise{from: k.asked, length: r.Promised}, promise{}",
			"t.proven, t.pending = promise{from: k.readAt, length: 2 * r.Promised}, promise{}"}}},
	{rule: "L1", broken: "a heartbeat whose answer was lost is refused when it is repeated", edits: []edit{{haDir + "rows.go",
		"if s.Beat != b.Number-1 && s.Beat != b.Number {", "if s.Beat != b.Number-1 {\n\t\tif s.Beat == b.Number {\n\t\t\treturn s, ErrReplaced\n\t\t}"}}},
	{rule: "L1", broken: "a renewal is not guarded by the epoch", edits: []edit{{haDir + "rows.go",
		"if l.Server == \"\" || l.Boot != boot || l.Epoch != r.Epoch {", "if l.Server == \"\" {"}}},
	{rule: "L3", broken: "a release names nobody", edits: []edit{{haDir + "rows.go",
		"l.Server, l.Boot, l.Successor = \"\", \"\", r.Successor", "l.Server, l.Boot, l.Successor = \"\", \"\", \"\""}}},
	{rule: "L6", broken: "a take-over compares no beat", edits: []edit{{haDir + "rows.go",
		"if l.Epoch != t.Epoch || l.Beat != t.Beat {", "if l.Epoch != t.Epoch {"}}},
	{rule: "L6", broken: "a take-over compares no epoch", quick: true, edits: []edit{{haDir + "rows.go",
		"if l.Epoch != t.Epoch || l.Beat != t.Beat {", "if l.Beat != t.Beat {"}}},
	{rule: "L7", broken: "the hold-down does not double", edits: []edit{{haDir + "watch.go",
		"w.hold = min(2*w.hold, t.MaxHold)", "w.hold = t.HoldDown"}}},
	{rule: "L7", broken: "an Active that cannot connect to the remote stays", edits: []edit{{haDir + "steer.go",
		"since, cut := k.cutOff[c]", "since, cut := k.cutOff[c]\n\tcut = false"}}},
	{rule: "L8", broken: "the epoch does not jump when the history changes", edits: []edit{{haDir + "rows.go",
		"l.Epoch, l.Beat = l.Epoch+EpochJump, 0", "l.Epoch, l.Beat = l.Epoch, 0"}}},
	{rule: "L8", broken: "links are not put in doubt when the history changes", edits: []edit{{alertDir + "link.go",
		"\tif l.Skipped != \"\" {\n\t\treturn l\n\t}\n\tswitch l.Stage {\n\tcase Fresh, Looked, Uncertain:", "\tif l.Stage != \"\" {\n\t\treturn l\n\t}\n\tswitch l.Stage {\n\tcase Fresh, Looked, Uncertain:"}}},
	{rule: "L8", broken: "doubted links are not held", edits: []edit{{alertDir + "link.go",
		"\t\tl.Stage = Verify\n\t}\n\tl.Hold = hold\n\treturn l\n}", "\t\tl.Stage = Verify\n\t}\n\treturn l\n}"}}},
	{rule: "L9", broken: "a heartbeat brings a removed server's row back (model)", edits: []edit{{simDir + "leases.go",
		"\tif !ok {\n\t\treturn ha.ErrReplaced\n\t}\n\ts, err := s.Beaten(b)", "\tif !ok {\n\t\ts = ha.Server{Name: b.Server, Boot: b.Boot, Beat: b.Number}\n\t}\n\ts, err := s.Beaten(b)"}}},
	{rule: "L9", broken: "a server that is no member any more takes over (model)", edits: []edit{{simDir + "leases.go",
		" || r.member(t.Connector, t.Server) < 0 || r.identity", " || r.identity"}}},
	{rule: "L9", broken: "an Active that was removed goes on", edits: []edit{{haDir + "steer.go",
		"if !k.member(c) {\n\t\treturn ReasonWish", "if false {\n\t\treturn ReasonWish"}}},
}
