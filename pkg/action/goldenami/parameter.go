package goldenami

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"cutover/pkg/awsclient"
)

// imageType is the data type of parameters whose value AWS checks to be an
// image.
const imageType = "aws:ec2:image"

// A Parameter is one of Parameter Store as it is.
type Parameter struct {
	Exists   bool
	Value    string
	Type     types.ParameterType
	DataType string
}

// parameter reads a parameter.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (a *Action) parameter(ctx context.Context, name string) (Parameter, error) {
	out, err := a.clients.SSM().GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	switch {
	case awsclient.IsCode(err, "ParameterNotFound", "ParameterVersionNotFound"):
		return Parameter{}, nil
	case err != nil:
		return Parameter{}, fmt.Errorf("get parameter %s: %w", name, err)
	}
	p := out.Parameter
	return Parameter{Exists: true, Value: str(p.Value), Type: p.Type, DataType: str(p.DataType)}, nil
}

// publish puts the image's id into the parameter. AWS answers before it has
// checked that there is such an image, and stores it then.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func (a *Action) publish(ctx context.Context, name, image string, now Parameter) error {
	dataType := imageType
	if now.Exists && now.DataType != "" {
		dataType = now.DataType // it is not to be changed
	}
	_, err := a.clients.SSM().PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: &image, Type: types.ParameterTypeString, DataType: &dataType, Overwrite: ptr(true),
	})
	if err != nil && !awsclient.IsCode(err, "TooManyUpdates") { // another writes it: the next look tells
		return fmt.Errorf("put parameter %s: %w", name, err)
	}
	return nil
}
