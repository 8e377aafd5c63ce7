package tds

import "regexp"

// refusal is how statements of a pattern are refused.
type refusal struct {
	has    *regexp.Regexp
	number int32
}

// Refuse lets the server refuse, with an error of that number, every statement
// that the pattern is in: it does not know what is named there, or the login may
// not.
func (s *Server) Refuse(pattern string, number int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, refusal{regexp.MustCompile(pattern), number})
}

// Fork gives the server a view of recovery forks, which shows this one to those who
// connect from now on; "" = it shows nothing, as to a login that may not look.
func (s *Server) Fork(fork string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forks, s.fork = true, fork
}

// refusal is why a statement is refused; nil = it is not.
func (s *Server) refusal(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refused {
		if found := r.has.FindString(text); found != "" {
			return &failure{r.number, 16, "refused is " + found}
		}
	}
	return nil
}

// shown is the fork that a session sees, if there is a view of forks.
func (s *Server) shown() (fork string, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fork, s.forks
}
