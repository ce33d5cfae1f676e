package lambda

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// Runtime is the one runtime that the embedded AWS runs.
const Runtime = "provided.al2023"

// maxEnvironment is the quota on a function's variables, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEnvironment = 4096

// Environment holds a function's variables.
type Environment struct {
	Variables map[string]string
}

// TracingConfig says whether a function starts traces of its own.
type TracingConfig struct {
	Mode string // Active or PassThrough
}

// LoggingConfig says where and how a function logs.
type LoggingConfig struct {
	LogFormat           string // Text or JSON
	LogGroup            string // /aws/lambda/NAME unless given
	ApplicationLogLevel string // with JSON: told to the function, which filters
	SystemLogLevel      string // with JSON: DEBUG, INFO, or WARN for no START and REPORT
}

// Settings are what can be set on a function with every write; what is not given
// keeps its value, or AWS's default on create.
type Settings struct {
	Runtime       string
	Handler       string
	Role          string
	Description   *string
	MemorySize    *int // MB
	Timeout       *int // seconds
	Environment   *Environment
	TracingConfig *TracingConfig
	LoggingConfig *LoggingConfig
}

// settings are those of one function, complete.
type settings struct {
	runtime, handler, role, description string
	memory                              int // MB
	timeout                             time.Duration
	variables                           map[string]string
	tracing                             string
	logging                             LoggingConfig
	architecture                        string
}

func defaults(functionName string) settings {
	return settings{
		memory: 128, timeout: 3 * time.Second, tracing: "PassThrough", architecture: "x86_64",
		logging: LoggingConfig{LogFormat: "Text", LogGroup: "/aws/lambda/" + functionName},
	}
}

var (
	roleARNs      = regexp.MustCompile(`^arn:aws:iam::\d{12}:role/[\w+=,.@/-]+$`)
	variableNames = regexp.MustCompile(`^[a-zA-Z]\w+$`)
)

// with is st with what in gives, or one error that names every fault.
func (st settings) with(in Settings) (settings, *wire.Error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	st.runtime = cmp.Or(in.Runtime, st.runtime)
	st.handler = cmp.Or(in.Handler, st.handler)
	st.role = cmp.Or(in.Role, st.role)
	if st.runtime != Runtime {
		fault("Runtime: %q is not run by the embedded AWS, only %s is", st.runtime, Runtime)
	}
	if st.handler == "" {
		fault("Handler: is required")
	}
	if !roleARNs.MatchString(st.role) {
		fault("Role: %q is not a role's ARN", st.role)
	}
	if in.Description != nil {
		st.description = *in.Description
	}
	if in.MemorySize != nil {
		st.memory = *in.MemorySize
	}
	if st.memory < 128 || st.memory > 10_240 {
		fault("MemorySize: %d is not between 128 and 10240", st.memory)
	}
	if in.Timeout != nil {
		st.timeout = time.Duration(*in.Timeout) * time.Second
	}
	if st.timeout < time.Second || st.timeout > 900*time.Second {
		fault("Timeout: %v is not between 1 and 900 seconds", st.timeout)
	}
	if in.Environment != nil {
		st.variables = maps.Clone(in.Environment.Variables)
		faults = append(faults, checkVariables(st.variables)...)
	}
	if in.TracingConfig != nil {
		st.tracing = cmp.Or(in.TracingConfig.Mode, "PassThrough")
		if st.tracing != "Active" && st.tracing != "PassThrough" {
			fault("TracingConfig.Mode: %q is neither Active nor PassThrough", st.tracing)
		}
	}
	if in.LoggingConfig != nil {
		logging, found := st.logging.with(*in.LoggingConfig)
		st.logging = logging
		faults = append(faults, found...)
	}
	if len(faults) > 0 {
		return st, invalid(strings.Join(faults, "; "))
	}
	return st, nil
}

func (l LoggingConfig) with(in LoggingConfig) (LoggingConfig, []string) {
	var faults []string
	l.LogFormat = cmp.Or(in.LogFormat, l.LogFormat)
	l.LogGroup = cmp.Or(in.LogGroup, l.LogGroup)
	l.ApplicationLogLevel = cmp.Or(in.ApplicationLogLevel, l.ApplicationLogLevel)
	l.SystemLogLevel = cmp.Or(in.SystemLogLevel, l.SystemLogLevel)
	switch l.LogFormat {
	case "JSON":
		l.ApplicationLogLevel = cmp.Or(l.ApplicationLogLevel, "INFO")
		l.SystemLogLevel = cmp.Or(l.SystemLogLevel, "INFO")
		if !slices.Contains([]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}, l.ApplicationLogLevel) {
			faults = append(faults, fmt.Sprintf("LoggingConfig.ApplicationLogLevel: %q is no level", l.ApplicationLogLevel))
		}
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN"}, l.SystemLogLevel) {
			faults = append(faults, fmt.Sprintf("LoggingConfig.SystemLogLevel: %q is no level", l.SystemLogLevel))
		}
	case "Text":
		if in.ApplicationLogLevel != "" || in.SystemLogLevel != "" {
			faults = append(faults, "LoggingConfig: levels need LogFormat JSON")
		}
		l.ApplicationLogLevel, l.SystemLogLevel = "", ""
	default:
		faults = append(faults, fmt.Sprintf("LoggingConfig.LogFormat: %q is neither Text nor JSON", l.LogFormat))
	}
	return l, faults
}

// checkVariables finds names that AWS reserves or refuses, and too many bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func checkVariables(variables map[string]string) (faults []string) {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		size += len(name) + len(variables[name])
		switch {
		case !variableNames.MatchString(name):
			faults = append(faults, fmt.Sprintf("Environment.Variables: %q is not a variable's name", name))
		case reserved(name):
			faults = append(faults, fmt.Sprintf("Environment.Variables: %s is a reserved key that Lambda sets", name))
		}
	}
	if size > maxEnvironment {
		faults = append(faults, fmt.Sprintf("Environment.Variables: %d bytes exceed the limit of %d", size, maxEnvironment))
	}
	return faults
}

func reserved(name string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
		return true
	}
	return false
}
