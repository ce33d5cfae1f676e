package ssm_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func TestWire_RefusesWhatItDoesNotServe(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.DescribePatchBaselines(t.Context(), &sdk.DescribePatchBaselinesInput{})
	wantCode(t, err, "UnknownOperationException", "ssm:DescribePatchBaselines")
	_, err = p.SendCommand(t.Context(), &sdk.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), Targets: []types.Target{{Key: aws.String("tag:team"), Values: []string{"blue"}}},
	})
	wantCode(t, err, "ValidationException", "Targets")
	_, err = p.StartAutomationExecution(t.Context(), &sdk.StartAutomationExecutionInput{
		DocumentName: aws.String("Golden"), MaxErrors: aws.String("1"), MaxConcurrency: aws.String("1"),
	})
	wantCode(t, err, "ValidationException", "MaxErrors")
}
