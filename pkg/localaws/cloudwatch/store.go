package cloudwatch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// retention is how long datapoints are kept. It is the longest window that an
	// alarm may look at, plus what it looks at besides.
	retention = 25 * time.Hour
	// maxSeries is how many series (metrics by unit) are kept; beyond, the one
	// that was written to longest ago is dropped. A load balancer with a hundred
	// services, each with two target groups, has some two thousand.
	maxSeries = 5000
)

// A store keeps series by their key.
type store map[string]*series

// A series is what came for one metric in one unit, minute by minute.
type series struct {
	namespace, name string
	dimensions      []Dimension // sorted by name
	unit            string
	minutes         []minute // ascending
	written         time.Time
}

type minute struct {
	start int64 // in seconds since the epoch, a multiple of 60
	bucket
}

func key(namespace, name string, dimensions []Dimension, unit string) string {
	var b strings.Builder
	for _, part := range []string{namespace, name, unit} {
		b.WriteString(part)
		b.WriteByte(0)
	}
	for _, d := range dimensions {
		b.WriteString(d.Name)
		b.WriteByte(0)
		b.WriteString(d.Value)
		b.WriteByte(0)
	}
	return b.String()
}

func sorted(dimensions []Dimension) []Dimension {
	return slices.SortedFunc(slices.Values(dimensions), func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
}

// put aggregates a bucket into the minute of a time.
func (st store) put(namespace, name string, dimensions []Dimension, unit string, at, now time.Time, b *bucket) {
	dimensions = sorted(dimensions)
	k := key(namespace, name, dimensions, unit)
	s := st[k]
	if s == nil {
		st.makeRoom(now)
		s = &series{namespace: namespace, name: name, dimensions: dimensions, unit: unit}
		st[k] = s
	}
	s.written = now
	s.expire(now)
	s.at(at.Unix() / 60 * 60).merge(b)
}

// makeRoom forgets, when there are as many series as may be, those without
// datapoints, and the stalest one if that is not enough.
func (st store) makeRoom(now time.Time) {
	if len(st) < maxSeries {
		return
	}
	for k, s := range st {
		if s.expire(now); len(s.minutes) == 0 {
			delete(st, k)
		}
	}
	if len(st) < maxSeries {
		return
	}
	stalest := slices.MinFunc(slices.Sorted(maps.Keys(st)), func(a, b string) int {
		return st[a].written.Compare(st[b].written)
	})
	delete(st, stalest)
}

// expire drops what is older than the retention.
func (s *series) expire(now time.Time) {
	oldest := now.Add(-retention).Unix()
	n := 0
	for n < len(s.minutes) && s.minutes[n].start < oldest {
		n++
	}
	if n > 0 {
		s.minutes = slices.Delete(s.minutes, 0, n)
	}
}

func (s *series) search(start int64) (int, bool) {
	return slices.BinarySearchFunc(s.minutes, start, func(m minute, t int64) int { return cmp.Compare(m.start, t) })
}

// at is the bucket of a minute, made if need be.
func (s *series) at(start int64) *bucket {
	i, found := s.search(start)
	if !found {
		s.minutes = slices.Insert(s.minutes, i, minute{start: start})
	}
	return &s.minutes[i].bucket
}

// between merges the minutes from start up to, not including, end.
func (s *series) between(start, end int64, into *bucket) {
	for i, _ := s.search(start); i < len(s.minutes) && s.minutes[i].start < end; i++ {
		into.merge(&s.minutes[i].bucket)
	}
}

// find lists the series of a metric: one for each of its units, or the one of a
// unit.
func (st store) find(namespace, name string, dimensions []Dimension, unit string) []*series {
	dimensions = sorted(dimensions)
	wanted := []string{unit}
	if unit == "" {
		wanted = units() // a look-up each, however many series there are
		slices.Sort(wanted)
	}
	var all []*series
	for _, u := range wanted {
		if s := st[key(namespace, name, dimensions, u)]; s != nil {
			all = append(all, s)
		}
	}
	return all
}

// A datapoint is one period of one or more series.
type datapoint struct {
	start time.Time
	bucket
}

// read cuts the time from start to end into periods and gives those, ascending,
// for which anything came.
func read(all []*series, start, end time.Time, period time.Duration) []datapoint {
	var points []datapoint
	for t := start.Truncate(time.Minute); t.Before(end); t = t.Add(period) {
		p := datapoint{start: t}
		for _, s := range all {
			s.between(t.Unix(), min(t.Add(period).Unix(), end.Unix()), &p.bucket)
		}
		if p.count > 0 {
			points = append(points, p)
		}
	}
	return points
}
