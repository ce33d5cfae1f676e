package customresource

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Kind is what CloudFormation wants of a resource.
type Kind string

// The kinds of requests.
const (
	Create Kind = "Create"
	Update Kind = "Update"
	Delete Kind = "Delete"
)

// A Request is what CloudFormation asks of one resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
type Request struct {
	Kind Kind

	// StackID is the stack's ARN, LogicalID the resource's name in its template.
	// Together they tell the resource from all others.
	StackID, LogicalID string

	// PhysicalID is what the resource answered before; on a create it is empty.
	// When a create was never answered, its delete comes with an id that
	// CloudFormation made up.
	PhysicalID string

	// Properties as the template has them now, OldProperties, on an update, as
	// they were. Decode reads them.
	Properties, OldProperties json.RawMessage
}

// An Answer is what has become of the resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
type Answer struct {
	// PhysicalID is what Ref returns, at most 1024 bytes. Another one than the
	// request's makes CloudFormation delete the old resource once the whole stack
	// is updated. With an error on a create, it is what the delete that follows
	// gets; empty then means that there is nothing to delete.
	PhysicalID string

	// Data is what Fn::GetAtt returns.
	Data map[string]string

	// NoEcho keeps Data from being shown.
	NoEcho bool
}

// notCreated begins the physical ids of resources whose create failed with
// nothing made. Their delete is answered without work.
const notCreated = "not-created:"

// event is a request as it comes.
type event struct {
	RequestType           string
	ResponseURL           string
	StackID               string `json:"StackId"`
	RequestID             string `json:"RequestId"`
	LogicalResourceID     string `json:"LogicalResourceId"`
	PhysicalResourceID    string `json:"PhysicalResourceId"`
	ResourceProperties    json.RawMessage
	OldResourceProperties json.RawMessage
}

// read decodes an event. When its second result is not nil, the event can be
// answered all the same if it has a ResponseURL.
func read(payload []byte) (event, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		// The error may quote the payload, which holds the secret.
		return salvage(payload), errors.New("the event is not a request of CloudFormation's: its JSON is of another shape")
	}
	var faults []error
	switch Kind(e.RequestType) {
	case Create, Update, Delete:
	default:
		faults = append(faults, fmt.Errorf("RequestType is %q, neither Create nor Update nor Delete", e.RequestType))
	}
	for _, need := range []struct{ name, value string }{
		{"StackId", e.StackID}, {"RequestId", e.RequestID}, {"LogicalResourceId", e.LogicalResourceID},
	} {
		if need.value == "" {
			faults = append(faults, fmt.Errorf("%s is missing", need.name))
		}
	}
	if Kind(e.RequestType) != Create && e.PhysicalResourceID == "" {
		faults = append(faults, errors.New("PhysicalResourceId is missing"))
	}
	return e, errors.Join(faults...)
}

// salvage reads what an answer needs from an event that is not whole.
func salvage(payload []byte) event {
	var all map[string]json.RawMessage
	var e event
	if json.Unmarshal(payload, &all) != nil {
		return e
	}
	for name, to := range map[string]*string{
		"RequestType": &e.RequestType, "ResponseURL": &e.ResponseURL, "StackId": &e.StackID, "RequestId": &e.RequestID,
		"LogicalResourceId": &e.LogicalResourceID, "PhysicalResourceId": &e.PhysicalResourceID,
	} {
		if json.Unmarshal(all[name], to) != nil {
			*to = ""
		}
	}
	return e
}

// answerable says whether there is somewhere to answer to.
func (e event) answerable() bool {
	u, err := url.Parse(e.ResponseURL)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func (e event) request() Request {
	return Request{
		Kind: Kind(e.RequestType), StackID: e.StackID, LogicalID: e.LogicalResourceID,
		PhysicalID: e.PhysicalResourceID, Properties: e.ResourceProperties, OldProperties: e.OldResourceProperties,
	}
}

// physicalID is the id to answer with: an update that failed and a delete keep
// the one they have, for CloudFormation would delete what another one replaces.
func (e event) physicalID(given string, failed bool) string {
	switch {
	case Kind(e.RequestType) == Delete, failed && e.PhysicalResourceID != "":
		return e.PhysicalResourceID
	case given != "":
		return given
	case e.PhysicalResourceID != "":
		return e.PhysicalResourceID
	}
	return notCreated + e.LogicalResourceID
}

func (e event) wasNeverCreated() bool {
	return Kind(e.RequestType) == Delete && strings.HasPrefix(e.PhysicalResourceID, notCreated)
}
