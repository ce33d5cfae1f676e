package lambda

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A function as it is. Fields are guarded by the service's mutex; settings and
// code are replaced, never changed.
type function struct {
	name      string
	logicalID string // in the template that made it, or empty
	settings  settings
	code      *code
	revision  int // grows with each write; sandboxes of an older one are not reused
	modified  time.Time
	tags      map[string]string
	reserved  *int // concurrent executions
	async     *eventInvokeConfig
	policy    []permission
	idle      []*sandbox // the latest used last
	busy      int
}

func (f *function) arn() string { return arnOf(f.name) }

func arnOf(name string) string {
	return "arn:aws:lambda:" + region + ":" + account + ":function:" + bareName(name)
}

// bareName is the name within a function's ARN or partial ARN, without a version.
func bareName(name string) string {
	bare, _ := splitName(name)
	return bare
}

// splitName takes NAME:QUALIFIER, or an ARN that ends so, apart.
func splitName(name string) (bare, qualifier string) {
	if _, after, ok := strings.Cut(name, "function:"); ok {
		name = after
	}
	bare, qualifier, _ = strings.Cut(name, ":")
	return bare, qualifier
}

var functionNames = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (s *Service) findLocked(name string) (*function, error) {
	bare, qualifier := splitName(name)
	f := s.functions[bare]
	if f == nil || qualifier != "" && qualifier != "$LATEST" {
		return nil, notFound("Function not found: %s", arnOf(name))
	}
	return f, nil
}

// A CodeSource says where a function's zip is: in S3, or in the request.
type CodeSource struct {
	S3Bucket string
	S3Key    string
	ZipFile  []byte
}

// A FunctionConfiguration as answers show it.
type FunctionConfiguration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Role             string
	Handler          string
	CodeSize         int64
	CodeSha256       string
	Description      string
	Timeout          int
	MemorySize       int
	LastModified     string
	Version          string
	Environment      *Environment
	TracingConfig    TracingConfig
	LoggingConfig    LoggingConfig
	Architectures    []string
	PackageType      string
	State            string
	LastUpdateStatus string
	RevisionId       string
}

func (f *function) view() FunctionConfiguration {
	st := f.settings
	view := FunctionConfiguration{
		FunctionName: f.name, FunctionArn: f.arn(), Runtime: st.runtime, Role: st.role, Handler: st.handler,
		CodeSize: f.code.size, CodeSha256: f.code.sha256, Description: st.description,
		Timeout: int(st.timeout / time.Second), MemorySize: st.memory,
		LastModified: f.modified.Format("2006-01-02T15:04:05.000-0700"), Version: "$LATEST",
		TracingConfig: TracingConfig{st.tracing}, LoggingConfig: st.logging,
		Architectures: []string{st.architecture}, PackageType: "Zip",
		State: "Active", LastUpdateStatus: "Successful", RevisionId: strconv.Itoa(f.revision),
	}
	if st.variables != nil {
		view.Environment = &Environment{maps.Clone(st.variables)}
	}
	return view
}

// A CreateFunctionInput is a function to be.
type CreateFunctionInput struct {
	FunctionName string `aws:",required"`
	Settings
	Code          CodeSource `aws:",required"`
	Architectures []string
	PackageType   string // Zip
	Publish       *bool  // false
	Tags          map[string]string

	logicalID string
}

// CreateFunction keeps a function and unpacks its code.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func (s *Service) CreateFunction(_ context.Context, in *CreateFunctionInput) (*FunctionConfiguration, error) {
	name := bareName(in.FunctionName)
	if !functionNames.MatchString(name) {
		return nil, invalid(fmt.Sprintf("FunctionName: %q must match %s", name, functionNames))
	}
	if err := checkPackage(in.PackageType, in.Publish); err != nil {
		return nil, err
	}
	f := &function{name: name, logicalID: in.logicalID, tags: in.Tags, modified: s.Clock.Now(), revision: 1}
	st, refused := defaults(name).with(in.Settings)
	if refused != nil {
		return nil, refused
	}
	if st.architecture, refused = architecture(in.Architectures, st.architecture); refused != nil {
		return nil, refused
	}
	f.settings = st
	if err := s.checkRole(st.role); err != nil {
		return nil, err
	}
	code, err := s.fetch(f, in.Code)
	if err != nil {
		return nil, err
	}
	f.code = code
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil {
		s.dropLocked(code)
		return nil, conflict("Function already exist: %s", name)
	}
	s.functions[name] = f
	view := f.view()
	return &view, nil
}

func checkPackage(packageType string, publish *bool) error {
	if packageType != "" && packageType != "Zip" {
		return invalid("PackageType: the embedded AWS runs Zip only")
	}
	if publish != nil && *publish {
		return invalid("Publish: the embedded AWS keeps no versions but $LATEST")
	}
	return nil
}

func architecture(given []string, usual string) (string, *wire.Error) {
	switch {
	case len(given) == 0:
		return usual, nil
	case len(given) == 1 && (given[0] == "x86_64" || given[0] == "arm64"):
		return given[0], nil
	}
	return "", invalid(fmt.Sprintf("Architectures: %v is not one of x86_64 and arm64", given))
}

// checkRole refuses a role that Lambda could not act in.
func (s *Service) checkRole(roleARN string) error {
	c, err := s.Roles.AssumeAs("lambda.amazonaws.com", roleARN, "check")
	if err != nil {
		return invalid("The role defined for the function cannot be assumed by Lambda.")
	}
	s.Roles.Revoke(c.AccessKeyID)
	return nil
}

// A GetFunctionOutput is a function with where its code came from.
type GetFunctionOutput struct {
	Configuration FunctionConfiguration
	Code          FunctionCode
	Tags          map[string]string
	Concurrency   *Concurrency
}

// FunctionCode says where Lambda keeps code. There is no Location to download it
// from.
type FunctionCode struct{ RepositoryType string }

// GetFunction shows a function.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
func (s *Service) GetFunction(_ context.Context, in *NameInput) (*GetFunctionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.qualifiedLocked(in)
	if err != nil {
		return nil, err
	}
	out := &GetFunctionOutput{Configuration: f.view(), Code: FunctionCode{"S3"}, Tags: f.tags}
	if f.reserved != nil {
		out.Concurrency = &Concurrency{f.reserved}
	}
	return out, nil
}

func (s *Service) qualifiedLocked(in *NameInput) (*function, error) {
	if in.Qualifier != "" && in.Qualifier != "$LATEST" {
		return nil, notFound("Function not found: %s:%s", arnOf(in.FunctionName), in.Qualifier)
	}
	return s.findLocked(in.FunctionName)
}

// GetFunctionConfiguration shows a function's settings.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (s *Service) GetFunctionConfiguration(_ context.Context, in *NameInput) (*FunctionConfiguration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.qualifiedLocked(in)
	if err != nil {
		return nil, err
	}
	view := f.view()
	return &view, nil
}

// A ListFunctionsInput asks for a page of functions.
type ListFunctionsInput struct {
	Marker          string
	MaxItems        *int
	FunctionVersion string // ALL is the same, with one version each
}

// A ListFunctionsOutput is a page of functions.
type ListFunctionsOutput struct {
	Functions  []FunctionConfiguration
	NextMarker string
}

// ListFunctions lists functions by name, 50 a page.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
func (s *Service) ListFunctions(_ context.Context, in *ListFunctionsInput) (*ListFunctionsOutput, error) {
	count := 50
	if in.MaxItems != nil {
		count = min(*in.MaxItems, count)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ListFunctionsOutput{Functions: []FunctionConfiguration{}}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		if name <= in.Marker && in.Marker != "" {
			continue
		}
		if len(out.Functions) >= count {
			out.NextMarker = out.Functions[len(out.Functions)-1].FunctionName
			break
		}
		out.Functions = append(out.Functions, s.functions[name].view())
	}
	return out, nil
}

// DeleteFunction removes a function. Running invocations end as they would.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
func (s *Service) DeleteFunction(_ context.Context, in *NameInput) (*Empty, error) {
	s.mu.Lock()
	f, err := s.qualifiedLocked(in)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	delete(s.functions, f.name)
	idle := s.outdateLocked(f)
	s.dropLocked(f.code)
	s.mu.Unlock()
	s.endAll(idle)
	return done(), nil
}

// An UpdateFunctionConfigurationInput changes the settings that it gives.
type UpdateFunctionConfigurationInput struct {
	FunctionName string `aws:",required"`
	Settings
}

// UpdateFunctionConfiguration changes settings; the next invocation starts cold.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
func (s *Service) UpdateFunctionConfiguration(_ context.Context, in *UpdateFunctionConfigurationInput) (*FunctionConfiguration, error) {
	if in.Role != "" {
		if err := s.checkRole(in.Role); err != nil {
			return nil, err
		}
	}
	return s.change(in.FunctionName, func(f *function) error {
		st, refused := f.settings.with(in.Settings)
		if refused != nil {
			return refused
		}
		f.settings = st
		return nil
	})
}

// An UpdateFunctionCodeInput replaces a function's code.
type UpdateFunctionCodeInput struct {
	FunctionName string `aws:",required"`
	CodeSource
	Architectures []string
	Publish       *bool // false
}

// UpdateFunctionCode replaces the code; the next invocation starts cold.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
func (s *Service) UpdateFunctionCode(_ context.Context, in *UpdateFunctionCodeInput) (*FunctionConfiguration, error) {
	if err := checkPackage("", in.Publish); err != nil {
		return nil, err
	}
	s.mu.Lock()
	f, err := s.findLocked(in.FunctionName)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	code, err := s.fetch(f, in.CodeSource)
	if err != nil {
		return nil, err
	}
	view, err := s.change(in.FunctionName, func(f *function) error {
		arch, refused := architecture(in.Architectures, f.settings.architecture)
		if refused != nil {
			return refused
		}
		f.settings.architecture = arch
		s.dropLocked(f.code)
		f.code = code
		return nil
	})
	if err != nil {
		s.mu.Lock()
		s.dropLocked(code)
		s.mu.Unlock()
	}
	return view, err
}

// change makes a write to a function and ends the sandboxes that it outdates.
func (s *Service) change(name string, write func(f *function) error) (*FunctionConfiguration, error) {
	now := s.Clock.Now()
	s.mu.Lock()
	f, err := s.findLocked(name)
	if err == nil {
		err = write(f)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	f.modified = now
	idle := s.outdateLocked(f)
	view := f.view()
	s.mu.Unlock()
	s.endAll(idle)
	return &view, nil
}

// outdateLocked keeps the function's sandboxes from being used again and returns
// those that nobody uses now.
func (s *Service) outdateLocked(f *function) []*sandbox {
	f.revision++
	idle := f.idle
	f.idle = nil
	return idle
}

// A ListTagsInput names a function by its ARN.
type ListTagsInput struct {
	Resource string `aws:",required"`
}

// A ListTagsOutput lists a function's tags.
type ListTagsOutput struct{ Tags map[string]string }

// ListTags lists the tags of a function.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html
func (s *Service) ListTags(_ context.Context, in *ListTagsInput) (*ListTagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(in.Resource)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, f.tags)
	return &ListTagsOutput{Tags: tags}, nil
}

// Concurrency is what a function reserves of the account's executions.
type Concurrency struct {
	ReservedConcurrentExecutions *int
}

// A PutFunctionConcurrencyInput reserves concurrent executions.
type PutFunctionConcurrencyInput struct {
	FunctionName                 string `aws:",required"`
	ReservedConcurrentExecutions int    `aws:",required"`
}

// PutFunctionConcurrency sets how many invocations run at once at most; with 0
// none do.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
func (s *Service) PutFunctionConcurrency(_ context.Context, in *PutFunctionConcurrencyInput) (*Concurrency, error) {
	if in.ReservedConcurrentExecutions < 0 || in.ReservedConcurrentExecutions > s.Concurrency {
		return nil, invalid(fmt.Sprintf("ReservedConcurrentExecutions: %d is not between 0 and the account's %d", in.ReservedConcurrentExecutions, s.Concurrency))
	}
	return s.reserve(in.FunctionName, &in.ReservedConcurrentExecutions)
}

func (s *Service) reserve(name string, n *int) (*Concurrency, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(name)
	if err != nil {
		return nil, err
	}
	f.reserved = n
	return &Concurrency{n}, nil
}

// DeleteFunctionConcurrency takes a reservation back.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionConcurrency.html
func (s *Service) DeleteFunctionConcurrency(_ context.Context, in *NameInput) (*Empty, error) {
	if _, err := s.reserve(in.FunctionName, nil); err != nil {
		return nil, err
	}
	return done(), nil
}

// GetFunctionConcurrency shows a reservation.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
func (s *Service) GetFunctionConcurrency(_ context.Context, in *NameInput) (*Concurrency, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(in.FunctionName)
	if err != nil {
		return nil, err
	}
	return &Concurrency{f.reserved}, nil
}
