package forwardtest

// Move gives a connector's lease the name of another history of the database, as
// the take-over that follows a change of it does (rule L8).
func (s *Store) Move(connector, history string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[connector]
	l.Identity = history
	s.leases[connector] = l
}
