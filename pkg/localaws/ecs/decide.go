package ecs

import (
	"slices"
	"time"
)

// settling is how long a task without load balancer must run to count as healthy.
const settling = 5 * time.Second

// A world is a service as observed: all that a decision needs.
type world struct {
	now         time.Time
	desired     int
	minHealthy  int // tasks
	maxTotal    int // tasks
	threshold   int // failures that trip the circuit breaker; 0 when it is off
	rollback    bool
	grace       time.Duration
	deployments []seenDeployment // newest first, exactly one primary
	tasks       []seenTask       // in order of their start
}

type seenDeployment struct {
	id        string
	primary   bool
	state     string
	failed    int
	notBefore time.Time
}

type seenTask struct {
	id         string
	deployment string
	state      taskState
	started    time.Time // when it reached RUNNING
	balanced   bool      // it is a target of a load balancer
	health     string    // worst state of its targets, where balanced
	why        string    // description of that
}

// healthy says that the task counts towards what must stay up.
func (t seenTask) healthy(now time.Time) bool {
	if t.state != taskRunning {
		return false
	}
	if t.balanced {
		return t.health == "healthy"
	}
	return now.Sub(t.started) >= settling
}

// unhealthy says that the load balancer gave the task up and ECS listens.
func (t seenTask) unhealthy(now time.Time, grace time.Duration) bool {
	return t.state == taskRunning && t.balanced && t.health == "unhealthy" && now.Sub(t.started) >= grace
}

func (t seenTask) alive() bool { return t.state == taskPending || t.state == taskRunning }

// A decision says what to do next for a service.
type decision struct {
	start    int      // tasks of the primary deployment
	retire   []string // tasks in surplus, by id
	replace  []string // tasks that failed their health checks
	finish   []string // tasks whose targets are drained: stop them now
	trip     bool     // the circuit breaker: the primary deployment has failed
	rollback string   // deployment to make primary again, after trip
	complete bool     // the primary deployment has become all there is
	steady   bool     // nothing is left to do
	wake     time.Time
}

// decide says how to bring a service nearer to its desired count of tasks of its
// primary deployment, without ever going below minHealthy healthy tasks or above
// maxTotal tasks for that. It neither looks at a clock nor changes anything.
func decide(w world) decision {
	var d decision
	primary := w.deployments[slices.IndexFunc(w.deployments, func(s seenDeployment) bool { return s.primary })]
	if tripped(w, primary) {
		d.trip = true
		if w.rollback {
			d.rollback = rollbackTarget(w)
		}
		return d // what follows from it is decided in the next pass
	}
	var mine, others []seenTask
	leaving := 0
	for _, t := range w.tasks {
		switch {
		case t.state == taskDeactivating:
			leaving++
			if !t.balanced || t.health == "" {
				d.finish = append(d.finish, t.id)
			}
		case !t.alive():
			leaving++
		case t.unhealthy(w.now, w.grace):
			d.replace = append(d.replace, t.id)
			leaving++
		case t.deployment == primary.id:
			mine = append(mine, t)
		default:
			others = append(others, t)
		}
	}
	d.scale(w, primary, mine, others)
	healthyMine := count(mine, w.now)
	if len(mine) == w.desired && healthyMine == w.desired && len(others) == 0 && leaving == 0 {
		d.complete = primary.state == inProgress
		d.steady = true
	}
	d.wakeFor(w, mine, others)
	return d
}

func tripped(w world, primary seenDeployment) bool {
	return w.threshold > 0 && primary.state == inProgress && primary.failed >= w.threshold
}

// rollbackTarget is the newest deployment that once completed, or "".
func rollbackTarget(w world) string {
	for _, d := range w.deployments {
		if !d.primary && d.state == completed {
			return d.id
		}
	}
	return ""
}

// scale starts what is missing as far as there is room, and retires what is in
// surplus: of the primary deployment beyond the desired count, of others as the
// primary's become healthy, or early to make room.
func (d *decision) scale(w world, primary seenDeployment, mine, others []seenTask) {
	if extra := len(mine) - w.desired; extra > 0 {
		d.retire = append(d.retire, leastUseful(mine, extra, w.now)...)
	}
	missing := max(w.desired-len(mine), 0)
	if primary.state == failed {
		missing = 0
	}
	room := max(w.maxTotal-len(mine)-len(others), 0)
	if !w.now.Before(primary.notBefore) {
		d.start = min(missing, room)
	}
	healthy := count(mine, w.now) + count(others, w.now)
	surplus := max(healthy-w.desired, 0)
	idle := len(others) - count(others, w.now) // hold nothing up
	limit := max(surplus, min(max(missing-room, 0), idle+max(healthy-w.minHealthy, 0)))
	if missing == 0 && (primary.state != failed || w.desired == 0) {
		limit = surplus + idle
	}
	limit = min(limit, len(others))
	d.retire = append(d.retire, leastUseful(others, limit, w.now)...)
}

// leastUseful picks n tasks: those that are not healthy first, then the oldest.
func leastUseful(tasks []seenTask, n int, now time.Time) []string {
	sorted := slices.Clone(tasks)
	slices.SortStableFunc(sorted, func(a, b seenTask) int {
		return rank(a, now) - rank(b, now)
	})
	var ids []string
	for _, t := range sorted[:n] {
		ids = append(ids, t.id)
	}
	return ids
}

func rank(t seenTask, now time.Time) int {
	switch {
	case t.healthy(now):
		return 2
	case t.state == taskRunning:
		return 1
	}
	return 0
}

func count(tasks []seenTask, now time.Time) int {
	n := 0
	for _, t := range tasks {
		if t.healthy(now) {
			n++
		}
	}
	return n
}

// wakeFor notes when time alone changes what is to be decided.
func (d *decision) wakeFor(w world, mine, others []seenTask) {
	at := func(t time.Time) {
		if t.After(w.now) && (d.wake.IsZero() || t.Before(d.wake)) {
			d.wake = t
		}
	}
	for _, dep := range w.deployments {
		if dep.primary {
			at(dep.notBefore)
		}
	}
	for _, t := range slices.Concat(mine, others) {
		if t.state != taskRunning {
			continue
		}
		if t.balanced {
			at(t.started.Add(w.grace))
		} else {
			at(t.started.Add(settling))
		}
	}
}

// threshold is how many failures in a row trip the circuit breaker.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func threshold(desired int) int { return min(max((desired+1)/2, 3), 200) }

// backoff is how long to wait before the next start after n failures in a row.
func backoff(n int) time.Duration {
	const first, most = 10 * time.Second, 15 * time.Minute
	if n < 2 {
		return 0
	}
	return min(first<<min(n-2, 10), most)
}
