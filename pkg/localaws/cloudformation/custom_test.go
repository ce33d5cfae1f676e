package cloudformation_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
)

// An answering is a function behind a custom resource: it returns what to put
// to the ResponseURL, or nothing.
type answering func(event map[string]any) (body string, err error)

func (f answering) Invoke(_ string, event []byte) error {
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		return err
	}
	body, err := f(e)
	if body == "" {
		return err
	}
	put, reqErr := http.NewRequest(http.MethodPut, e["ResponseURL"].(string), strings.NewReader(body))
	if reqErr != nil {
		return reqErr
	}
	resp, putErr := http.DefaultClient.Do(put)
	if putErr != nil {
		return putErr
	}
	return errors.Join(err, resp.Body.Close())
}

// answerOf is an answer that belongs to the request.
func answerOf(e map[string]any, members map[string]any) string {
	all := map[string]any{
		"Status": "SUCCESS", "PhysicalResourceId": "group-1", "StackId": e["StackId"],
		"RequestId": e["RequestId"], "LogicalResourceId": e["LogicalResourceId"],
	}
	for name, value := range members {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func newCustomWorld(t *testing.T, f answering) *world {
	t.Helper()
	w := &world{clock: clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var server *httptest.Server
	w.Service = cloudformation.New(cloudformation.Config{
		Clock: w.clock, Functions: f, URL: func() string { return server.URL },
	})
	server = httptest.NewServer(w.Responses())
	t.Cleanup(server.Close)
	return w
}

const customTemplate = `
Resources:
  Group:
    Type: Custom::DeploymentGroup
    Properties:
      ServiceToken: arn:aws:lambda:us-east-1:111122223333:function:deployment-group
      Count: COUNT
      Enabled: true
      List: [1, a]
Outputs:
  Ref: {Value: !Ref Group}
  Id: {Value: !GetAtt Group.Id}
`

func TestCustom_FunctionGetsStringsAndGivesIdAndAttributes(t *testing.T) {
	t.Parallel()
	var events []map[string]any
	w := newCustomWorld(t, func(e map[string]any) (string, error) {
		events = append(events, e)
		return answerOf(e, map[string]any{"Data": map[string]any{"Id": 7}}), nil
	})
	w.deploy(t, "s", strings.Replace(customTemplate, "COUNT", "2", 1))
	w.deploy(t, "s", strings.Replace(customTemplate, "COUNT", "3", 1))
	want := map[string]any{
		"ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:deployment-group",
		"Count":        "3", "Enabled": "true", "List": []any{"1", "a"},
	}
	if diff := cmp.Diff(want, events[1]["ResourceProperties"]); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if got := events[1]["OldResourceProperties"].(map[string]any)["Count"]; got != "2" {
		t.Errorf("got old count %v, want 2", got)
	}
	if a, b := events[0]["RequestType"], events[1]["RequestType"]; a != "Create" || b != "Update" {
		t.Errorf("got requests %v and %v, want Create and Update", a, b)
	}
	for _, o := range w.stack(t, "s").Outputs {
		if want := map[string]string{"Ref": "group-1", "Id": "7"}[o.OutputKey]; o.OutputValue != want {
			t.Errorf("output %s: got %q, want %q", o.OutputKey, o.OutputValue, want)
		}
	}
}

func TestCustom_NewPhysicalIDReplacesAndDeletesTheOldOne(t *testing.T) {
	t.Parallel()
	var done []string
	w := newCustomWorld(t, func(e map[string]any) (string, error) {
		id, _ := e["PhysicalResourceId"].(string)
		done = append(done, e["RequestType"].(string)+" "+id)
		if e["RequestType"] == "Update" {
			id = "group-2"
		}
		return answerOf(e, map[string]any{"PhysicalResourceId": strings.Join([]string{id, "group-1"}, "")[:7], "Data": map[string]any{"Id": "x"}}), nil
	})
	w.deploy(t, "s", strings.Replace(customTemplate, "COUNT", "2", 1))
	w.deploy(t, "s", strings.Replace(customTemplate, "COUNT", "3", 1))
	if diff := cmp.Diff([]string{"Create ", "Update group-1", "Delete group-1"}, done); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestCustom_ResourceFailsUnlessAnsweredWell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(e map[string]any) (string, error)
		want   string
	}{
		"it reports a failure": {
			func(e map[string]any) (string, error) {
				return answerOf(e, map[string]any{"Status": "FAILED", "Reason": "no such role"}), nil
			}, "no such role"},
		"it ends without an answer": {func(map[string]any) (string, error) { return "", nil }, "did not receive a response"},
		"it crashes":                {func(map[string]any) (string, error) { return "", errors.New("crashed") }, "did not receive a response"},
		"its answer is not JSON":    {func(map[string]any) (string, error) { return "yes", nil }, "did not receive a response"},
		"its answer is for another": {func(e map[string]any) (string, error) { return answerOf(e, map[string]any{"RequestId": "x"}), nil }, "must be those of the request"},
		"its answer has no id": {func(e map[string]any) (string, error) {
			return answerOf(e, map[string]any{"PhysicalResourceId": ""}), nil
		}, "Invalid PhysicalResourceId"},
		"its answer is too long": {func(e map[string]any) (string, error) {
			return answerOf(e, map[string]any{"Reason": strings.Repeat("x", 5000)}), nil
		}, "did not receive a response"},
		"its status is none that exists": {func(e map[string]any) (string, error) { return answerOf(e, map[string]any{"Status": "OK"}), nil }, "must be SUCCESS or FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCustomWorld(t, func(e map[string]any) (string, error) {
				if e["RequestType"] == "Delete" {
					return answerOf(e, nil), nil
				}
				return c.answer(e)
			})
			w.refuses(t, "s", strings.Replace(customTemplate, "COUNT", "2", 1), c.want)
		})
	}
}

func TestCustom_AnswersNeedTheSecretOfTheRequest(t *testing.T) {
	t.Parallel()
	w := newCustomWorld(t, nil)
	answer := httptest.NewRecorder()
	w.Responses().ServeHTTP(answer, httptest.NewRequest(http.MethodPut, cloudformation.ResponsePrefix+"guess", strings.NewReader("{}")))
	if answer.Code != http.StatusForbidden {
		t.Errorf("got %d, want %d", answer.Code, http.StatusForbidden)
	}
}
