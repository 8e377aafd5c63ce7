package forward

import (
	"fmt"

	"tieline/internal/alert"
	"tieline/internal/ha"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// toldComment stands in Progress.Told for a close that was told by a comment
// alone, so that it is said once.
const toldComment = "(comment)"

// Next decides the next operation for a claimed link. It is pure.
func Next(s Situation) Step {
	if s.Link.Side == alert.Source {
		return nextSource(s)
	}
	switch s.Link.Stage {
	case alert.Fresh:
		return nextFresh(s)
	case alert.Uncertain:
		if s.looks() {
			return Step{Op: OpLook}
		}
		return create(s)
	case alert.Looked:
		if s.looks() && !s.Looked {
			return Step{Op: OpLook}
		}
		return create(s)
	case alert.Verify:
		return nextVerify(s)
	case alert.Twins:
		return nextTwins(s)
	default:
		return nextSettled(s)
	}
}

// looks reports whether a create whose outcome is unknown is looked up. A
// remote that drops a second create by its key need not be, while it remembers.
func (s Situation) looks() bool {
	remembers := s.Rules.KeyLife == 0 || s.Age < s.Rules.KeyLife
	if s.Rules.Guarantee == remote.Idempotent && remembers {
		return false
	}
	return s.Rules.CanLook
}

func nextFresh(s Situation) Step {
	switch s.Refire {
	case RefireWait:
		return Step{Op: OpWait, Reason: "the earlier alert's ticket " + s.Previous.Link.Ticket + " is still being worked on"}
	case RefireReopen, RefireComment:
		return Step{Op: OpAdopt, Ticket: s.Previous.Link.Ticket,
			Reason: "its ticket goes on as that of alert " + s.Alert.ID.String()}
	}
	return create(s)
}

func create(s Situation) Step {
	state, comment := s.target()
	d := s.Draft
	d.State, d.Comment = state, comment
	if state == toldComment {
		d.State = ""
	}
	if s.Alert.Status == alert.Open {
		d.Comment = ""
	}
	if s.Refire == RefireLinked {
		d.RefersTo = s.Previous.Link.Ticket
	}
	return Step{Op: OpCreate, Draft: d, Telling: state}
}

// target is the state the ticket should have been told, and what to say with
// it. toldComment asks for the comment alone.
func (s Situation) target() (state, comment string) {
	if s.Alert.Status == alert.Open {
		return s.Draft.State, s.Draft.Comment
	}
	comment = s.Draft.Comment
	if comment == "" {
		comment = "The alert closed at its source."
	}
	switch {
	case s.Rules.CloseAction == "leave":
		return "", ""
	case s.Rules.CloseAction == "comment", s.Draft.State == "":
		return toldComment, comment
	default:
		return s.Draft.State, comment
	}
}

func nextVerify(s Situation) Step {
	if s.Rules.CanLook && !s.Looked {
		return Step{Op: OpLook}
	}
	if !s.Rules.CanCompare || s.Link.Ticket == "" {
		return Step{Op: OpRest} // cannot be read back: the newest revision is sent again
	}
	d := s.Draft
	d.State, d.Comment = s.comparedState(), ""
	return Step{Op: OpCompare, Draft: d, Ticket: s.Link.Ticket}
}

// comparedState is the state a read back must find; "" = any. A state that was
// told and then changed on the remote's side, as far as we heard, is a person's.
func (s Situation) comparedState() string {
	state, _ := s.target()
	if state == toldComment {
		return ""
	}
	changed := s.Link.Heard != "" && s.Link.Heard != state
	if state == s.Link.Told && changed {
		return ""
	}
	return state
}

func nextTwins(s Situation) Step {
	switch {
	case len(s.Link.Twins) == 0:
		return Step{Op: OpRest}
	case !s.Rules.CanMerge:
		return Step{Op: OpPark, Reason: fmt.Sprintf(
			"tickets %s and %s carry the same key and this remote system cannot merge them: close one of them, then retry",
			s.Link.Ticket, s.Link.Twins[0])}
	default:
		return Step{Op: OpMerge, Ticket: s.Link.Ticket, Twin: s.Link.Twins[0]}
	}
}

func nextSettled(s Situation) Step {
	switch {
	case s.Link.Delivered < s.Link.Wanted:
		return update(s)
	case s.Link.NotesDelivered >= s.Link.NotesWanted, !s.Rules.CanNote:
		return Step{Op: OpRest}
	case len(s.Notes) == 0:
		return Step{Op: OpPark, Reason: "notes that should be sent are not in the database"}
	default:
		return Step{Op: OpNote, Ticket: s.Link.Ticket, Note: s.Notes[0]}
	}
}

// update sets the state only where it is not what was told last, so that a
// change of content does not undo what a person did in the remote.
func update(s Situation) Step {
	state, comment := s.target()
	d := s.Draft
	d.State, d.Comment = "", ""
	switch {
	case s.Refire == RefireComment:
		d.Comment = "The alert fired again."
	case state == "" || state == s.Link.Told:
	case state == toldComment:
		d.Comment = comment
	default:
		d.State, d.Comment = state, comment
	}
	return Step{Op: OpUpdate, Draft: d, Ticket: s.Link.Ticket, Telling: state}
}

// nextSource keeps the alert's own record at its source. Writers are idempotent,
// so a write of unknown outcome is made again, and the newest once more when a
// late older one can no longer come.
func nextSource(s Situation) Step {
	l := s.Link
	atRest := l.Stage == alert.Settled && l.Delivered >= l.Wanted
	known := l.Stage == alert.Settled || l.Stage == alert.Fresh
	if atRest || s.Back == "" || known && (s.Back == l.Told || s.nothingToEnd()) {
		return Step{Op: OpRest}
	}
	if l.Stage != alert.Settled && l.Stage != alert.Fresh && l.Stage != alert.Uncertain {
		return Step{Op: OpRest} // After makes it due again
	}
	u := source.Update{
		Key:   alert.Key(fmt.Sprintf("%s-%d", s.Draft.Key, l.Wanted)),
		Alert: s.Alert, State: s.Back, Connector: l.Connector, Revision: l.Wanted,
	}
	if s.Peer != nil {
		u.Ticket, u.TicketURL = s.Peer.Ticket, s.Peer.TicketURL
	}
	return Step{Op: OpWrite, Update: u, Telling: s.Back}
}

// nothingToEnd reports whether the alert is over and its source shows nothing of
// the ticket: it was never told of it, or last that nobody has it in hand. Where
// the database once lost its last commits, what the source was told may have been
// lost with them; then it is told the end all the same.
func (s Situation) nothingToEnd() bool {
	if s.Back != source.Ended {
		return false
	}
	return s.Link.Stage == alert.Fresh && s.Link.Claim.Epoch < ha.EpochJump || s.Link.Told == source.Open
}
