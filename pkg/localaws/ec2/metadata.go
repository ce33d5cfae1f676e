package ec2

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MetadataPrefixes are where Metadata serves.
var MetadataPrefixes = []string{"/imds/", "/latest/"}

// MetadataEndpoint is what AWS_EC2_METADATA_SERVICE_ENDPOINT must be for the
// programs of an instance, where Metadata is served at a host. SDKs that keep
// the endpoint's path say in it which instance asks; the Go SDK replaces the
// path and keeps the user.
func MetadataEndpoint(host, instanceID string) string {
	return "http://" + instanceID + "@" + host + "/imds/" + instanceID
}

// The headers of the service's sessions.
const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

// mostTTL is the longest a session's token is good for, in seconds.
const mostTTL = 21600

// Metadata is the instance metadata service of every instance; MetadataEndpoint
// says where one finds its own.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
func (s *Service) Metadata() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/imds/{id}/latest/", "/latest/"} {
		mux.HandleFunc("PUT "+prefix+"api/token", s.beginMetadata)
		mux.HandleFunc("GET "+prefix+"{path...}", s.readMetadata)
	}
	return mux
}

// metadataInstance finds the instance that asks, or refuses it.
func (s *Service) metadataInstance(w http.ResponseWriter, r *http.Request) *instance {
	id := r.PathValue("id")
	if id == "" {
		id, _, _ = r.BasicAuth()
	}
	s.mu.Lock()
	i, ok := s.instances[id]
	known := ok && i.state != terminated
	closed := known && i.metadata.HttpEndpoint == "disabled"
	s.mu.Unlock()
	switch {
	case !known:
		http.Error(w, "there is no such instance", http.StatusNotFound)
	case closed:
		http.Error(w, "the instance metadata service is disabled", http.StatusForbidden)
	default:
		return i
	}
	return nil
}

// beginMetadata answers with a session's token.
func (s *Service) beginMetadata(w http.ResponseWriter, r *http.Request) {
	i := s.metadataInstance(w, r)
	if i == nil {
		return
	}
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || seconds < 1 || seconds > mostTTL {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	// Programs in the instance measure the seconds on the wall, which the
	// embedded AWS's clock may outrun: a session lasts as long as its instance.
	token := base64.StdEncoding.EncodeToString([]byte(randomID("imds") + randomID("")))
	s.mu.Lock()
	i.sessions = append(i.sessions, token)
	s.mu.Unlock()
	w.Header().Set(ttlHeader, strconv.Itoa(seconds))
	fmt.Fprint(w, token)
}

func (s *Service) readMetadata(w http.ResponseWriter, r *http.Request) {
	i := s.metadataInstance(w, r)
	if i == nil {
		return
	}
	s.mu.Lock()
	token := r.Header.Get(tokenHeader)
	valid := slices.Contains(i.sessions, token)
	if token == "" {
		valid = i.metadata.HttpTokens != "required"
	}
	s.mu.Unlock()
	if !valid {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	path := r.PathValue("path")
	if name, ok := strings.CutPrefix(path, "meta-data/iam/security-credentials/"); ok {
		s.writeCredentials(w, i, name)
		return
	}
	s.mu.Lock()
	text, ok := s.metadataLocked(i, path)
	s.mu.Unlock()
	if !ok {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, text)
}

// metadataLocked finds what is at a path; a path of others lists their names.
func (s *Service) metadataLocked(i *instance, path string) (string, bool) {
	values := i.metadataValues()
	if i.data.UserData != "" {
		text, err := userData(i.data.UserData)
		if err != nil {
			return "", false // which launch would have refused
		}
		values["user-data"] = text
	}
	values["dynamic/instance-identity/document"] = s.identity(i)
	if text, ok := values[path]; ok {
		return text, true
	}
	prefix := strings.TrimSuffix(path, "/") + "/"
	var names []string
	for name := range values {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			head, _, deeper := strings.Cut(rest, "/")
			if deeper {
				head += "/"
			}
			names = append(names, head)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "\n"), names != nil
}

func (i *instance) metadataValues() map[string]string {
	zone := i.subnet.AvailabilityZone
	values := map[string]string{
		"meta-data/ami-id": i.image.ImageId, "meta-data/instance-id": i.id, "meta-data/instance-type": i.kind.InstanceType,
		"meta-data/local-ipv4": i.address, "meta-data/hostname": i.hostname(), "meta-data/local-hostname": i.hostname(),
		"meta-data/ami-launch-index": strconv.Itoa(i.index), "meta-data/reservation-id": i.reservation,
		"meta-data/instance-life-cycle": "on-demand", "meta-data/placement/availability-zone": zone,
		"meta-data/placement/region": zone[:max(len(zone)-1, 0)],
	}
	var groups []string
	for _, g := range i.groups {
		groups = append(groups, g.GroupName)
	}
	values["meta-data/security-groups"] = strings.Join(groups, "\n")
	if i.role != "" {
		values["meta-data/iam/security-credentials/"+roleName(i.role)] = ""
	}
	if i.metadata.InstanceMetadataTags == "enabled" {
		for _, t := range i.tags {
			values["meta-data/tags/instance/"+t.Key] = t.Value
		}
	}
	return values
}

func roleName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// identity is the instance's identity document.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
func (s *Service) identity(i *instance) string {
	text, err := json.MarshalIndent(map[string]any{
		"accountId": s.Account, "architecture": i.image.Architecture, "availabilityZone": i.subnet.AvailabilityZone,
		"imageId": i.image.ImageId, "instanceId": i.id, "instanceType": i.kind.InstanceType,
		"pendingTime": i.launched.UTC().Format(time.RFC3339), "privateIp": i.address, "region": s.Region, "version": "2017-09-30",
	}, "", "  ")
	if err != nil {
		panic("ec2: an identity document that has no JSON: " + err.Error()) // it holds strings only
	}
	return string(text)
}

// writeCredentials answers with the name of the instance's role, or with the
// role's credentials where that is named.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
func (s *Service) writeCredentials(w http.ResponseWriter, i *instance, name string) {
	role := i.role
	switch {
	case role == "" || name != "" && name != roleName(role):
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	case name == "":
		fmt.Fprint(w, roleName(role))
		return
	}
	held, updated, err := s.credentials(i)
	if err != nil {
		s.Logger.Warn("an instance gets no credentials", "instance", i.id, "role", role, "error", err)
		w.Header().Set("Content-Type", "text/plain")
		json.NewEncoder(w).Encode(map[string]string{ // a client that hung up is not told
			"Code": "AssumeRoleUnauthorizedAccess", "LastUpdated": s.Clock.Now().UTC().Format(time.RFC3339),
			"Message": "EC2 cannot assume the role " + roleName(role) + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.",
		})
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	json.NewEncoder(w).Encode(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": updated.UTC().Format(time.RFC3339),
		"AccessKeyId": held.AccessKeyID, "SecretAccessKey": held.SecretAccessKey, "Token": held.SessionToken,
		"Expiration": held.Expiration.UTC().Format(time.RFC3339),
	})
}

// renewBefore is how long before their end credentials are replaced.
const renewBefore = 15 * time.Minute

// credentials are an instance's, which it keeps until they are about to expire.
func (s *Service) credentials(i *instance) (held Credentials, now time.Time, err error) {
	now = s.Clock.Now()
	s.mu.Lock()
	held = i.held
	s.mu.Unlock()
	if now.Before(held.Expiration.Add(-renewBefore)) {
		return held, now, nil
	}
	if held, err = s.Profiles.Credentials(i.role, i.id); err != nil {
		return held, now, fmt.Errorf("begin session of %s: %w", i.role, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i.held = held
	return held, now, nil
}
