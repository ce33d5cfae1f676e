package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// jsonTime is how CloudWatch writes times into reason and history data.
const jsonTime = "2006-01-02T15:04:05.000-0700"

// reason says in AWS's words why an alarm leaves a state.
func (v verdict) reason(w *Watch, from string) string {
	if v.state == stateInsufficient {
		n := w.EvaluationPeriods
		return fmt.Sprintf("Insufficient Data: %s unknown.", counted(n, "datapoint was", "datapoints were"))
	}
	if len(v.evaluated) == 0 {
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s treated as [%s].",
			counted(v.missing, "period", "periods"), counted(v.missing, "missing datapoint was", "missing datapoints were"), v.treated)
	}
	bad := v.state == stateAlarm
	var shown []string
	for _, one := range v.evaluated {
		if w.breaches(one.value) == bad {
			shown = append(shown, fmt.Sprintf("%s (%s)", decimal(one.value), one.start.Format("02/01/06 15:04:05")))
		}
	}
	was := "was"
	if len(shown) != 1 {
		was = "were"
	}
	if !bad {
		was += " not"
	}
	least := w.needed()
	if !bad {
		least = w.EvaluationPeriods - w.needed() + 1
	}
	text := fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] %s %s the threshold (%s) (minimum %s for %s -> %s transition).",
		len(shown), w.EvaluationPeriods, strings.Join(shown, ", "), was, w.compares(), decimal(*w.Threshold),
		counted(least, "datapoint", "datapoints"), from, v.state)
	if v.treated != "" {
		text = strings.TrimSuffix(text, ".") + fmt.Sprintf(" and %s treated as [%s].",
			counted(v.missing, "missing datapoint was", "missing datapoints were"), v.treated)
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// decimal writes a number as AWS does: always with a point.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// data is the machine's version of the reason.
func (v verdict) data(w *Watch, now time.Time) string {
	recent, evaluated := []float64{}, []map[string]any{}
	for _, one := range v.evaluated {
		recent = append(recent, one.value)
		evaluated = append(evaluated, map[string]any{
			"timestamp": one.start.Format(jsonTime), "sampleCount": one.count, "value": one.value,
		})
	}
	data := map[string]any{
		"version": "1.0", "queryDate": now.Format(jsonTime), "statistic": string(w.statistic()), "period": w.Period,
		"recentDatapoints": recent, "evaluatedDatapoints": evaluated, "threshold": *w.Threshold,
	}
	if w.Unit != "" {
		data["unit"] = w.Unit
	}
	if len(v.evaluated) > 0 {
		data["startDate"] = v.evaluated[0].start.Format(jsonTime)
	}
	return encode(data)
}

// encode writes values made of maps, lists, strings and finite numbers.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("cloudwatch: encode reason data: " + err.Error()) // a value that can't be
	}
	return string(text)
}
