package cloudwatch

import (
	"context"
	"slices"
	"time"
)

// maxHistory is how many entries are kept, of all alarms together.
const maxHistory = 5000

// An AlarmHistoryItem is one change of an alarm.
type AlarmHistoryItem struct {
	AlarmName       string
	AlarmType       string
	Timestamp       time.Time
	HistoryItemType string // ConfigurationUpdate or StateUpdate
	HistorySummary  string
	HistoryData     string // JSON
}

func historyData(members map[string]any) string {
	members["version"] = "1.0"
	return encode(members)
}

// recordLocked notes a change as of now.
func (s *Service) recordLocked(item AlarmHistoryItem) {
	item.Timestamp = s.clock.Now()
	s.history = append(s.history, item)
	if n := len(s.history) - maxHistory; n > 0 {
		s.history = slices.Delete(s.history, 0, n)
	}
}

// DescribeAlarmHistoryInput is the input of DescribeAlarmHistory.
type DescribeAlarmHistoryInput struct {
	AlarmName       string
	AlarmTypes      []string // empty means MetricAlarm alone
	HistoryItemType string
	StartDate       time.Time
	EndDate         time.Time
	ScanBy          string // empty means TimestampDescending
	MaxRecords      *int   // 1-100, nil means 100
	NextToken       string
}

// DescribeAlarmHistoryOutput is the output of DescribeAlarmHistory.
type DescribeAlarmHistoryOutput struct {
	AlarmHistoryItems []AlarmHistoryItem
	NextToken         string
}

// DescribeAlarmHistory shows the changes of alarms, deleted ones too, the latest
// first.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
func (s *Service) DescribeAlarmHistory(ctx context.Context, in *DescribeAlarmHistoryInput) (*DescribeAlarmHistoryOutput, error) {
	limit, err := in.validate()
	if err != nil {
		return nil, err
	}
	sees := s.seesComposites(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []AlarmHistoryItem{}
	for _, item := range s.history {
		if in.wants(item) && (item.AlarmType == "MetricAlarm" || sees) {
			all = append(all, item)
		}
	}
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(all)
	}
	out := new(DescribeAlarmHistoryOutput)
	out.AlarmHistoryItems, out.NextToken, err = page(all, in.NextToken, limit)
	return out, err
}

func (in *DescribeAlarmHistoryInput) validate() (limit int, err error) {
	if !slices.Contains([]string{"", "TimestampAscending", "TimestampDescending"}, in.ScanBy) {
		return 0, invalid("The value %s for parameter ScanBy is invalid.", in.ScanBy)
	}
	if !slices.Contains([]string{"", "ConfigurationUpdate", "StateUpdate", "Action"}, in.HistoryItemType) {
		return 0, invalid("HistoryItemType: the embedded AWS has no %q.", in.HistoryItemType)
	}
	for _, kind := range in.AlarmTypes {
		if kind != "MetricAlarm" && kind != "CompositeAlarm" {
			return 0, invalid("AlarmTypes: the embedded AWS has no %q.", kind)
		}
	}
	return records(in.MaxRecords, 100)
}

func (in *DescribeAlarmHistoryInput) wants(item AlarmHistoryItem) bool {
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []string{"MetricAlarm"}
	}
	return (in.AlarmName == "" || in.AlarmName == item.AlarmName) &&
		slices.Contains(kinds, item.AlarmType) &&
		(in.HistoryItemType == "" || in.HistoryItemType == item.HistoryItemType) &&
		!item.Timestamp.Before(in.StartDate) &&
		(in.EndDate.IsZero() || item.Timestamp.Before(in.EndDate))
}
