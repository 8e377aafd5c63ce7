package sim

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// Bounds of the explorer's states.
const (
	xServers = 2
	xTickets = 4
	xWrites  = 4
)

// xState is a state in as few bytes as will do; the real types are made of it
// when a step needs them.
type xState struct {
	db, old    xDatabase
	lags       bool // old is what a lagging replica has
	server     [xServers]xServer
	write      [xWrites]xWrite
	ticket     [xTickets]xTicket
	claims     uint8 // handed out so far
	top        uint8 // highest epoch ever taken
	taken      uint8
	crashes    uint8
	losses     uint8
	failedOver bool
}

type xDatabase struct {
	epoch, holder, identity uint8 // holder: server+1, 0 = released
	leaseIdentity           uint8
	link                    xLink
}

// xLink is an alert.Link. A hold is kept as what is left of it.
type xLink struct {
	stage, ticket, twins, delivered, wanted uint8
	claim, claimEpoch                       uint8
	holdEpoch, holdLeft                     uint8
	evidence                                uint8 // ticket, 255 = unknown
}

// xServer is a server with its one lane of work.
type xServer struct {
	up       bool
	term     uint8 // epoch; 0 = none
	identity uint8 // of the term
	wait     uint8 // until it may expire older claims, then until it has swept
	phase    uint8 // of the term: waiting, expired, swept
	asks     uint8 // of availability: what it is about to do, see the steps
	read     uint8 // the epoch it read
	lane     xLane
	late     uint8 // a claim given up whose statement may still be executed
	lateTerm uint8
}

// Phases of a term (rule C4).
const (
	termWaits uint8 = iota
	termExpired
	termSwept
)

// xLane is the carry of the link by one server.
type xLane struct {
	phase  uint8
	claim  uint8
	epoch  uint8
	window uint8 // left
	looked bool
	rev    uint8 // of the payload
	gap    uint8 // since the window was checked
	step   uint8 // the write that leaves next
	link   xLink // as the carry believes; then the outcome
	answer bool  // the outcome's Answered
	hold   uint8 // the outcome's hold left, plus one
	watch  uint8 // claim that is watched because nobody here owns it
	left   uint8 // of that watch
}

// Phases of a lane.
const (
	laneIdle     uint8 = iota
	laneAsks           // the claim statement is under way
	laneClaimed        // it was executed, the answer is under way
	laneRefused        // it was executed and claimed nothing
	laneUnsure         // the answer was lost: re-read
	laneDecides        // the claim is confirmed
	laneChecked        // the window was checked, the write leaves next
	laneAwaits         // the write left
	laneRecords        // the outcome is being recorded
	laneSnapshot       // NoRowCheck: the statement has read, and will write
)

// xWrite is a write under way to the desk.
type xWrite struct {
	op     uint8 // 0 = none
	server uint8
	claim  uint8
	rev    uint8
	ticket uint8
	age    uint8
}

// Operations on the desk.
const (
	opCreate uint8 = iota + 1
	opUpdate
	opMerge
)

// xTicket is a ticket of the alert.
type xTicket struct{ state, rev uint8 }

// States of a ticket.
const (
	ticketNone uint8 = iota
	ticketOpen
	ticketMerged
)

var xStages = [...]alert.Stage{alert.Fresh, alert.Uncertain, alert.Looked, alert.Verify, alert.Twins, alert.Settled}

func stageNumber(s alert.Stage) uint8 {
	for i, x := range xStages {
		if x == s {
			return uint8(i)
		}
	}
	panic("sim: the link has a stage that the explorer does not know: " + string(s))
}

const unknownEvidence = 255

// xAge is the age that every term is said to have: only differences count.
const xAge = 1000 * time.Second

var (
	xAlert = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	xID    = alert.LinkID{Connector: connectorName, Alert: xAlert, Side: alert.Remote}
)

func xClaimID(n uint8) alert.ClaimID {
	if n == 0 {
		return alert.ClaimID{}
	}
	return alert.ClaimID{15: n}
}

func xTicketID(n uint8) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

func ticketNumber(id string) uint8 {
	if id == "" {
		return 0
	}
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > xTickets {
		panic("sim: a ticket id that the desk never gave: " + id)
	}
	return uint8(n)
}

// xEpoch makes a real epoch of a small one: the upper bits count jumps.
func xEpoch(n uint8) int64 { return int64(n>>4)*ha.EpochJump + int64(n&15) }

func smallEpoch(e int64) uint8 { return uint8(e/ha.EpochJump)<<4 | uint8(e%ha.EpochJump) }

func xIdentity(n uint8) string { return "history-" + strconv.Itoa(int(n)) }

// real makes an alert.Link of it.
func (l xLink) real() alert.Link {
	out := alert.Link{LinkID: xID, Wanted: int64(l.wanted)}
	out.Stage, out.Ticket, out.Delivered = xStages[l.stage], xTicketID(l.ticket), int64(l.delivered)
	for t := uint8(1); t <= xTickets; t++ {
		if l.twins&(1<<t) != 0 {
			out.Twins = append(out.Twins, xTicketID(t))
		}
	}
	out.Claim = alert.Claim{ID: xClaimID(l.claim), Epoch: xEpoch(l.claimEpoch)}
	if l.holdEpoch != 0 {
		out.Hold = alert.Hold{Epoch: xEpoch(l.holdEpoch), Until: xAge + time.Duration(l.holdLeft)*time.Second}
	}
	switch l.evidence {
	case 0:
	case unknownEvidence:
		out.Evidence = "?"
	default:
		out.Evidence = xTicketID(l.evidence)
	}
	return out
}

// small makes an xLink of a link. Attempts and texts are left out: they decide
// when a link is tried and parked, never what is known.
func small(l alert.Link) xLink {
	out := xLink{
		stage: stageNumber(l.Stage), ticket: ticketNumber(l.Ticket), delivered: uint8(max(l.Delivered, 0)), wanted: uint8(l.Wanted),
		claim: l.Claim.ID[15], claimEpoch: smallEpoch(l.Claim.Epoch),
	}
	for _, t := range l.Twins {
		out.twins |= 1 << ticketNumber(t)
	}
	if l.Hold.Epoch != 0 {
		out.holdEpoch = smallEpoch(l.Hold.Epoch)
		out.holdLeft = uint8(max(l.Hold.Until-xAge, 0) / time.Second)
	}
	switch l.Evidence {
	case "":
	case "?":
		out.evidence = unknownEvidence
	default:
		out.evidence = ticketNumber(l.Evidence)
	}
	if l.Parked != "" || l.Skipped != "" {
		panic("sim: the explorer's link was parked or skipped: " + l.Parked + l.Skipped)
	}
	return out
}

// lease makes the ha.Lease of the row; a boot id is the server's name, because a
// term of a crashed process has nothing left that could use it.
func (d xDatabase) lease() ha.Lease {
	l := ha.Lease{Connector: connectorName, Epoch: xEpoch(d.epoch), Identity: xIdentity(d.leaseIdentity)}
	if d.holder != 0 {
		l.Server = "s" + strconv.Itoa(int(d.holder))
		l.Boot = l.Server
	}
	return l
}

// made counts the tickets that were ever made.
func (s *xState) made() int {
	n := 0
	for _, t := range s.ticket {
		if t.state != ticketNone {
			n++
		}
	}
	return n
}

// mirror exchanges the two servers.
func (s xState) mirror() xState {
	s.server[0], s.server[1] = s.server[1], s.server[0]
	for i := range s.write {
		if s.write[i].op != 0 {
			s.write[i].server = 1 - s.write[i].server
		}
	}
	for _, d := range []*xDatabase{&s.db, &s.old} {
		if d.holder != 0 {
			d.holder = 3 - d.holder
		}
	}
	return s
}

func (e Explorer) first() xState {
	var s xState
	for i := range e.Servers {
		s.server[i].up = true
	}
	s.db.identity, s.db.leaseIdentity = 1, 1
	s.db.link = small(alert.NewLink(xID, 1))
	return s
}
