package ec2

import (
	"maps"
	"slices"
)

// Instances lists all instances, for services beside.
func (s *Service) Instances() []Instance {
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.instances))
	s.mu.Unlock()
	var all []Instance
	for _, id := range ids {
		if i, ok := s.Instance(id); ok {
			all = append(all, i)
		}
	}
	return all
}
