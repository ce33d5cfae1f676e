package lambda

import (
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/restjson"
)

// Wire is Lambda's API.
func (s *Service) Wire() wire.Service {
	named := wire.On(func(in *NameInput) []string { return []string{arnOf(in.FunctionName)} })
	return wire.Service{
		Name: "lambda",
		Protocols: []wire.Protocol{restjson.Protocol{Naming: wire.AsIs, Routes: map[string]string{
			"CreateFunction":                  "POST /2015-03-31/functions",
			"ListFunctions":                   "GET /2015-03-31/functions",
			"GetFunction":                     "GET /2015-03-31/functions/{FunctionName}",
			"DeleteFunction":                  "DELETE /2015-03-31/functions/{FunctionName}",
			"GetFunctionConfiguration":        "GET /2015-03-31/functions/{FunctionName}/configuration",
			"UpdateFunctionConfiguration":     "PUT /2015-03-31/functions/{FunctionName}/configuration",
			"UpdateFunctionCode":              "PUT /2015-03-31/functions/{FunctionName}/code",
			"Invoke":                          "POST /2015-03-31/functions/{FunctionName}/invocations",
			"AddPermission":                   "POST /2015-03-31/functions/{FunctionName}/policy",
			"GetPolicy":                       "GET /2015-03-31/functions/{FunctionName}/policy",
			"RemovePermission":                "DELETE /2015-03-31/functions/{FunctionName}/policy/{StatementId}",
			"PutFunctionConcurrency":          "PUT /2017-10-31/functions/{FunctionName}/concurrency",
			"DeleteFunctionConcurrency":       "DELETE /2017-10-31/functions/{FunctionName}/concurrency",
			"GetFunctionConcurrency":          "GET /2019-09-30/functions/{FunctionName}/concurrency",
			"PutFunctionEventInvokeConfig":    "PUT /2019-09-25/functions/{FunctionName}/event-invoke-config",
			"GetFunctionEventInvokeConfig":    "GET /2019-09-25/functions/{FunctionName}/event-invoke-config",
			"DeleteFunctionEventInvokeConfig": "DELETE /2019-09-25/functions/{FunctionName}/event-invoke-config",
			"ListTags":                        "GET /2017-03-31/tags/{Resource}",
		}}},
		Invalid: invalid,
		Operations: []wire.Operation{
			wire.Op("CreateFunction", s.CreateFunction,
				wire.On(func(in *CreateFunctionInput) []string { return []string{arnOf(in.FunctionName)} }),
				wire.Needs(func(in *CreateFunctionInput) []wire.Access { return passRole(in.Role) })),
			wire.Op("ListFunctions", s.ListFunctions),
			wire.Op("GetFunction", s.GetFunction, named),
			wire.Op("DeleteFunction", s.DeleteFunction, named),
			wire.Op("GetFunctionConfiguration", s.GetFunctionConfiguration, named),
			wire.Op("UpdateFunctionConfiguration", s.UpdateFunctionConfiguration,
				wire.On(func(in *UpdateFunctionConfigurationInput) []string { return []string{arnOf(in.FunctionName)} }),
				wire.Needs(func(in *UpdateFunctionConfigurationInput) []wire.Access { return passRole(in.Role) })),
			wire.Op("UpdateFunctionCode", s.UpdateFunctionCode,
				wire.On(func(in *UpdateFunctionCodeInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("Invoke", s.Invoke, wire.As("lambda:InvokeFunction"),
				wire.On(func(in *InvokeInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("AddPermission", s.AddPermission,
				wire.On(func(in *AddPermissionInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("GetPolicy", s.GetPolicy, named),
			wire.Op("RemovePermission", s.RemovePermission,
				wire.On(func(in *RemovePermissionInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("PutFunctionConcurrency", s.PutFunctionConcurrency,
				wire.On(func(in *PutFunctionConcurrencyInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("DeleteFunctionConcurrency", s.DeleteFunctionConcurrency, named),
			wire.Op("GetFunctionConcurrency", s.GetFunctionConcurrency, named),
			wire.Op("PutFunctionEventInvokeConfig", s.PutFunctionEventInvokeConfig,
				wire.On(func(in *PutFunctionEventInvokeConfigInput) []string { return []string{arnOf(in.FunctionName)} })),
			wire.Op("GetFunctionEventInvokeConfig", s.GetFunctionEventInvokeConfig, named),
			wire.Op("DeleteFunctionEventInvokeConfig", s.DeleteFunctionEventInvokeConfig, named),
			wire.Op("ListTags", s.ListTags, wire.On(func(in *ListTagsInput) []string { return []string{in.Resource} })),
		},
	}
}

func passRole(roleARN string) []wire.Access {
	if roleARN == "" {
		return nil
	}
	return []wire.Access{{
		Action: "iam:PassRole", Resource: roleARN,
		Context: map[string]string{"iam:PassedToService": "lambda.amazonaws.com"},
	}}
}

// A NameInput names a function: by name, ARN, or part of it.
type NameInput struct {
	FunctionName string `aws:",required"`
	Qualifier    string // $LATEST, or empty
}

// An Empty is an answer without members or body.
type Empty struct {
	StatusCode int `aws:",status"`
}

func done() *Empty { return &Empty{StatusCode: 204} }

func invalid(message string) *wire.Error {
	return wire.Errorf("InvalidParameterValueException", "%s", message)
}

func notFound(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceNotFoundException", format, args...).WithStatus(404)
}

func conflict(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceConflictException", format, args...).WithStatus(409)
}
