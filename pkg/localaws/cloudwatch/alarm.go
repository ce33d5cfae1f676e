package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/resource"
)

// The states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

// A Tag is a tag of an alarm.
type Tag = resource.Tag

// Settings are what metric and composite alarms have in common.
type Settings struct {
	AlarmDescription        string
	ActionsEnabled          *bool // nil means true
	OKActions               []string
	AlarmActions            []string
	InsufficientDataActions []string
}

// A Watch says which metric an alarm looks at and when it is bad.
type Watch struct {
	Namespace                        string `aws:",required"`
	MetricName                       string `aws:",required"`
	Dimensions                       []Dimension
	Statistic                        string
	ExtendedStatistic                string
	Unit                             string
	Period                           int      `aws:",required"` // in seconds, a multiple of 60
	EvaluationPeriods                int      `aws:",required"`
	DatapointsToAlarm                *int     // nil means EvaluationPeriods
	Threshold                        *float64 `aws:",required"`
	ComparisonOperator               string   `aws:",required"`
	TreatMissingData                 string   // empty means "missing"
	EvaluateLowSampleCountPercentile string   // empty means "evaluate"
}

// State is what an alarm's last evaluation found.
type State struct {
	StateValue                 string
	StateReason                string
	StateReasonData            string    // JSON
	StateUpdatedTimestamp      time.Time // of the last update, with or without another StateValue
	StateTransitionedTimestamp time.Time // of the last other StateValue
}

// An alarm is a metric alarm (with a watch) or a composite one (with a rule).
type alarm struct {
	Settings
	State
	name       string
	tags       []Tag
	configured time.Time
	watch      *Watch
	value      float64 // of the last datapoint that counted
	rule       rule
	ruleText   string
}

func (a *alarm) kind() string {
	if a.watch == nil {
		return "CompositeAlarm"
	}
	return "MetricAlarm"
}

// PutMetricAlarmInput is the input of PutMetricAlarm.
type PutMetricAlarmInput struct {
	AlarmName string `aws:",required"`
	Settings
	Watch
	Tags []Tag
}

// PutMetricAlarm makes an alarm or gives one another configuration; its state
// stays until the next full minute. It may be repeated.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (s *Service) PutMetricAlarm(_ context.Context, in *PutMetricAlarmInput) (*Empty, error) {
	if err := in.Watch.validate(); err != nil {
		return nil, err
	}
	watch := in.Watch
	watch.Dimensions = append([]Dimension{}, sorted(watch.Dimensions)...)
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.putLocked(in.AlarmName, in.Settings, in.Tags, "MetricAlarm")
	if err != nil {
		return nil, err
	}
	a.watch = &watch
	s.scheduleLocked()
	return &Empty{}, nil
}

// putLocked finds or makes the alarm and notes what its kind does not matter for.
func (s *Service) putLocked(name string, settings Settings, tags []Tag, kind string) (*alarm, error) {
	if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, invalid("The value %q for parameter AlarmName is invalid.", name)
	}
	if err := settings.validate(); err != nil {
		return nil, err
	}
	if len(tags) > 50 {
		return nil, invalid("An alarm must not have more than 50 tags.")
	}
	now := s.clock.Now()
	a, change := s.alarms[name], "updated"
	switch {
	case a == nil:
		change = "created"
		a = &alarm{name: name, tags: tags, State: State{
			StateValue: stateInsufficient, StateReason: "Unchecked: Initial alarm creation",
			StateUpdatedTimestamp: now, StateTransitionedTimestamp: now,
		}}
		s.alarms[name] = a
	case a.kind() != kind:
		return nil, invalid("Alarm %s exists as a %s, which can't become a %s.", name, a.kind(), kind)
	}
	a.Settings, a.configured = settings.filled(), now
	s.recordLocked(AlarmHistoryItem{
		AlarmName: name, AlarmType: kind, HistoryItemType: "ConfigurationUpdate",
		HistorySummary: fmt.Sprintf("Alarm %q %s", name, change),
		HistoryData:    historyData(map[string]any{"type": strings.ToUpper(change[:1]) + change[1:len(change)-1]}),
	})
	return a, nil
}

func (st Settings) validate() error {
	if len(st.AlarmDescription) > 1024 {
		return invalid("The parameter AlarmDescription must not be longer than 1024 characters.")
	}
	for _, actions := range [][]string{st.OKActions, st.AlarmActions, st.InsufficientDataActions} {
		if len(actions) > 5 {
			return invalid("An alarm must not have more than 5 actions for a state.")
		}
		for _, action := range actions {
			if !strings.HasPrefix(action, "arn:") {
				return invalid("Invalid arn syntax: %s", action)
			}
		}
	}
	return nil
}

// filled has AWS's defaults in place of what is not given.
func (st Settings) filled() Settings {
	if st.ActionsEnabled == nil {
		yes := true
		st.ActionsEnabled = &yes
	}
	for _, actions := range []*[]string{&st.OKActions, &st.AlarmActions, &st.InsufficientDataActions} {
		if *actions == nil {
			*actions = []string{}
		}
	}
	return st
}

func (w Watch) validate() error {
	switch {
	case (w.Statistic == "") == (w.ExtendedStatistic == ""):
		return invalid("Exactly one of Statistic and ExtendedStatistic must be specified.")
	case w.Statistic != "" && !statistic(w.Statistic).plain():
		return invalid("The value %s for parameter Statistic is invalid.", w.Statistic)
	case w.EvaluationPeriods < 1:
		return invalid("The parameter EvaluationPeriods must be at least 1.")
	case w.Period > 86400/w.EvaluationPeriods:
		return invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
	case w.DatapointsToAlarm != nil && (*w.DatapointsToAlarm < 1 || *w.DatapointsToAlarm > w.EvaluationPeriods):
		return invalid("The parameter DatapointsToAlarm must be between 1 and EvaluationPeriods.")
	case !finite(*w.Threshold):
		return invalid("The value %v for parameter Threshold is invalid.", *w.Threshold)
	case w.compares() == "":
		return invalid("ComparisonOperator: the embedded AWS has no %q.", w.ComparisonOperator)
	case !slices.Contains([]string{"", "breaching", "notBreaching", "ignore", "missing"}, w.TreatMissingData):
		return invalid("The value %s for parameter TreatMissingData is invalid.", w.TreatMissingData)
	case !slices.Contains([]string{"", "evaluate", "ignore"}, w.EvaluateLowSampleCountPercentile):
		return invalid("The value %s for parameter EvaluateLowSampleCountPercentile is invalid.", w.EvaluateLowSampleCountPercentile)
	}
	if _, ok := statistic(w.ExtendedStatistic).percent(); w.ExtendedStatistic != "" && !ok {
		return invalid("ExtendedStatistic: the embedded AWS has percentiles only, not %q.", w.ExtendedStatistic)
	}
	if err := checkPeriod(w.Period); err != nil {
		return err
	}
	return checkMetric("Alarm", w.Dimensions, w.Unit)
}

// statistic is the one of the two that is given.
func (w Watch) statistic() statistic {
	return statistic(cmp.Or(w.Statistic, w.ExtendedStatistic))
}

// needed is how many datapoints must breach.
func (w Watch) needed() int {
	if w.DatapointsToAlarm != nil {
		return *w.DatapointsToAlarm
	}
	return w.EvaluationPeriods
}
