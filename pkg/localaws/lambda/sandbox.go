package lambda

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/wire"
)

const (
	// warm is how long an idle sandbox is kept, by the embedded AWS's clock.
	warm = 10 * time.Minute
	// freshness is what a session must still have left to be used again.
	freshness = 6 * time.Hour
)

// A sandbox runs one invocation at a time of one revision of a function, in a
// session of its role. Its fields are set before its first use, but for those
// that the service's mutex guards.
type sandbox struct {
	service     *Service
	function    *function
	settings    settings
	code        *code
	revision    int
	credentials iam.Credentials
	stream      string // log stream
	runner      runner
	tail        tail
	used        bool // has run before

	expiry  *timer // guarded
	ended   bool   // guarded
	payload []byte // guarded: of the event that it is at
}

// A runner is what runs a sandbox's code. Only kill may be called while another
// method runs.
type runner interface {
	// start brings the code up to where it waits for an event.
	start() *failure
	// invoke hands one event over and waits for the answer.
	invoke(inv invocation, trace string, timeout time.Duration) outcome
	// kill makes start and invoke return at once, also when called before them.
	kill()
	// stop ends everything and waits for what belongs to a process.
	stop()
	// peakMemory is the most bytes in memory so far, or 0 where not known.
	peakMemory() int64
}

// An outcome is how a runner ended an invocation.
type outcome struct {
	payload []byte
	failure *failure
	dead    bool // the runner can't be used again
}

// The errorTypes that Lambda itself gives.
const (
	timedOut          = "Sandbox.Timedout"
	exitError         = "Runtime.ExitError"
	invalidEntrypoint = "Runtime.InvalidEntrypoint"
)

// acquire takes an idle sandbox of the function, or makes one.
func (s *Service) acquire(name string) (*sandbox, error) {
	now := s.Clock.Now()
	s.mu.Lock()
	f := s.functions[name]
	if f == nil {
		s.mu.Unlock()
		return nil, notFound("Function not found: %s", arnOf(name))
	}
	if reason := s.throttleLocked(f); reason != "" {
		s.mu.Unlock()
		s.metric(f.name, "Throttles", 1, "Count")
		return nil, throttled(reason)
	}
	f.busy++
	s.busy++
	var stale []*sandbox
	var found *sandbox
	for len(f.idle) > 0 && found == nil {
		sb := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if sb.credentials.Expiration.Sub(now) < freshness {
			stale = append(stale, sb)
			continue
		}
		found = sb
		s.cancelLocked(sb.expiry)
	}
	if found == nil {
		f.code.users++
		found = &sandbox{service: s, function: f, settings: f.settings, code: f.code, revision: f.revision}
	}
	s.mu.Unlock()
	s.endAll(stale)
	if found.runner != nil {
		return found, nil
	}
	if err := s.furnish(found, now); err != nil {
		s.mu.Lock()
		f.busy--
		s.busy--
		s.dropLocked(found.code)
		s.mu.Unlock()
		return nil, err
	}
	return found, nil
}

func (s *Service) throttleLocked(f *function) string {
	if f.reserved != nil && f.busy >= *f.reserved {
		return "ReservedFunctionConcurrentInvocationLimitExceeded"
	}
	if s.busy >= s.Concurrency {
		return "ConcurrentInvocationLimitExceeded"
	}
	return ""
}

// furnish gives a new sandbox its session, log stream and runner.
func (s *Service) furnish(sb *sandbox, now time.Time) error {
	c, err := s.Roles.AssumeAs("lambda.amazonaws.com", sb.settings.role, sb.function.name)
	if err != nil {
		return wire.Errorf("AccessDeniedException", "Lambda is unable to assume the role %s of function %s", sb.settings.role, sb.function.name).WithStatus(502)
	}
	sb.credentials = c
	sb.stream = now.Format("2006/01/02") + "/[$LATEST]" + hexID(16)
	if make := s.handlerOf(sb.function); make != nil {
		sb.runner = newInProcess(sb, make)
	} else {
		sb.runner = newProcess(sb)
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.sandboxes[c.AccessKeyID] = sb
	}
	s.mu.Unlock()
	if closed {
		s.Roles.Revoke(c.AccessKeyID)
		return errClosed
	}
	return nil
}

// handlerOf finds what runs a function in this process, or nil.
func (s *Service) handlerOf(f *function) func(env map[string]string) Handler {
	if make := s.Handlers[f.name]; make != nil {
		return make
	}
	if make := s.Handlers[f.logicalID]; make != nil {
		return make
	}
	longest := ""
	for key := range s.Handlers {
		if strings.HasPrefix(f.name, key) && len(key) > len(longest) {
			longest = key
		}
	}
	return s.Handlers[longest]
}

func (sb *sandbox) cold() bool { return !sb.used }

func (sb *sandbox) start() *failure {
	sb.used = true
	return sb.runner.start()
}

// release puts a sandbox back, or ends it where it can't be used again.
func (s *Service) release(sb *sandbox, dead bool) {
	s.mu.Lock()
	sb.function.busy--
	s.busy--
	reuse := !dead && !s.closed && !s.dead[sb.credentials.AccessKeyID] && sb.revision == sb.function.revision
	if reuse {
		sb.function.idle = append(sb.function.idle, sb)
	}
	s.mu.Unlock()
	if !reuse {
		s.end(sb)
		return
	}
	expiry := s.after(warm, func() { s.cool(sb) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if sb.ended || !slices.Contains(sb.function.idle, sb) {
		s.cancelLocked(expiry) // taken again meanwhile; its next release starts another
		return
	}
	s.cancelLocked(sb.expiry)
	sb.expiry = expiry
}

// cool ends a sandbox that was idle for too long.
func (s *Service) cool(sb *sandbox) {
	s.mu.Lock()
	i := slices.Index(sb.function.idle, sb)
	if i >= 0 {
		sb.function.idle = slices.Delete(sb.function.idle, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		s.end(sb)
	}
}

func (s *Service) cancelLocked(t *timer) {
	if t != nil && s.timers[t] {
		delete(s.timers, t)
		t.Stop()
	}
}

// end stops a sandbox's code and its session. It may be called more than once.
func (s *Service) end(sb *sandbox) {
	s.mu.Lock()
	if sb.ended {
		s.mu.Unlock()
		return
	}
	sb.ended = true
	s.cancelLocked(sb.expiry)
	s.mu.Unlock()

	sb.runner.stop()
	s.Roles.Revoke(sb.credentials.AccessKeyID)

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sandboxes, sb.credentials.AccessKeyID)
	s.dropLocked(sb.code)
}

func (s *Service) endAll(sandboxes []*sandbox) {
	for _, sb := range sandboxes {
		s.end(sb)
	}
}

// condemn kills a sandbox: from now on nothing that it sends takes effect.
func (s *Service) condemn(sb *sandbox) {
	s.mu.Lock()
	s.dead[sb.credentials.AccessKeyID] = true
	s.mu.Unlock()
	sb.runner.kill()
}

// Kill ends the sandbox that holds an access key, at once and as a crash would:
// the key of its role's session, or one that came in the event it is at, such as
// that of a job's artifacts.
func (s *Service) Kill(accessKeyID string) {
	s.mu.Lock()
	sb := s.sandboxes[accessKeyID]
	for _, other := range s.sandboxes {
		if sb == nil && bytes.Contains(other.payload, []byte(accessKeyID)) {
			sb = other
			s.dead[accessKeyID] = true
		}
	}
	s.mu.Unlock()
	if sb != nil {
		s.condemn(sb)
	}
}

// at notes which event a sandbox is at; nil means none.
func (s *Service) at(sb *sandbox, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sb.payload = payload
}

// Dead says that the holder of an access key was killed.
func (s *Service) Dead(accessKeyID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead[accessKeyID]
}

// environment is what a function's code finds in its environment.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (sb *sandbox) environment() map[string]string {
	c := sb.service.Config
	env := map[string]string{
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_ACCESS_KEY_ID":               sb.credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           sb.credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":               sb.credentials.SessionToken,
		"AWS_LAMBDA_FUNCTION_NAME":        sb.function.name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(sb.settings.memory),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       sb.settings.logging.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      sb.stream,
		"_HANDLER":                        sb.settings.handler,
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		// Not Lambda's: what leads the SDKs to the embedded AWS.
		"AWS_ENDPOINT_URL": c.Endpoint,
	}
	if c.DaemonAddress != "" {
		env["AWS_XRAY_DAEMON_ADDRESS"] = c.DaemonAddress
		env["_AWS_XRAY_DAEMON_ADDRESS"], env["_AWS_XRAY_DAEMON_PORT"], _ = strings.Cut(c.DaemonAddress, ":")
	}
	if sb.settings.logging.LogFormat == "JSON" {
		env["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
		env["AWS_LAMBDA_LOG_LEVEL"] = sb.settings.logging.ApplicationLogLevel
	}
	maps.Copy(env, c.Environment)
	maps.Copy(env, sb.settings.variables)
	return env
}

// log writes one line to the function's log stream, if its role may.
func (sb *sandbox) log(line string) {
	sb.tail.add(line)
	resource := "arn:aws:logs:" + region + ":" + account + ":log-group:" + sb.settings.logging.LogGroup + ":log-stream:"
	roles := sb.service.Roles
	if roles.RoleAllows(sb.settings.role, wire.Access{Action: "logs:CreateLogStream", Resource: resource}) &&
		roles.RoleAllows(sb.settings.role, wire.Access{Action: "logs:PutLogEvents", Resource: resource + sb.stream}) {
		sb.service.Logs.Put(sb.settings.logging.LogGroup, sb.stream, line)
	}
}

// errorBody reads what a runtime posts as an error.
func errorBody(kind string, body []byte) *failure {
	var posted struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &posted) != nil {
		return failed(cmp.Or(kind, "Runtime.Unknown"), "%s", body)
	}
	return &failure{kind: cmp.Or(posted.ErrorType, kind, "Runtime.Unknown"), message: posted.ErrorMessage, body: body}
}
