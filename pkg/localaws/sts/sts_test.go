package sts_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/sts"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func ptr[T any](v T) *T { return &v }

func TestAssumeRole_GivesASessionThatExpires(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	roles := iam.New(iam.Config{Clock: c})
	e := endpoint.New(endpoint.Config{Clock: c, IAM: roles, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler)})
	e.Add(sts.New(sts.Config{IAM: roles}).Wire())
	server := httptest.NewServer(e)
	defer server.Close()
	client := func(key string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(key, "secret", "")})
	}
	ctx := context.Background()
	for name, trust := range map[string]string{
		"open":   `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}`,
		"closed": `{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`,
	} {
		if _, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trust}); err != nil {
			t.Fatal(err)
		}
	}
	admin := client(iam.AdministratorAccessKeyID)
	who, err := admin.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	if err != nil || *who.Arn != iam.AdministratorARN || *who.Account != "111122223333" {
		t.Errorf("identity: got %v (%v), want the administrator", who, err)
	}
	assumed, err := admin.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: ptr("arn:aws:iam::111122223333:role/open"), RoleSessionName: ptr("me"), DurationSeconds: ptr(int32(900))})
	if err != nil {
		t.Fatal(err)
	}
	if want := c.Now().Add(15 * time.Minute); !assumed.Credentials.Expiration.Equal(want) {
		t.Errorf("expiration: got %v, want %v", assumed.Credentials.Expiration, want)
	}
	session := client(*assumed.Credentials.AccessKeyId)
	who, err = session.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	if want := "arn:aws:sts::111122223333:assumed-role/open/me"; err != nil || *who.Arn != want || *who.UserId != *assumed.AssumedRoleUser.AssumedRoleId {
		t.Errorf("identity: got %v (%v), want %s", who, err, want)
	}

	refusals := []struct {
		name   string
		client *sdk.Client
		role   string
		length int32
		want   string
	}{
		{"a role that trusts a service only", admin, "closed", 900, "AccessDenied"},
		{"a role that is not there", admin, "none", 900, "AccessDenied"},
		{"a session longer than the role's longest", admin, "open", 7200, "ValidationError"},
		{"a caller without the permission", session, "open", 900, "AccessDenied"},
	}
	for _, r := range refusals {
		_, err := r.client.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: ptr("arn:aws:iam::111122223333:role/" + r.role), RoleSessionName: ptr("me"), DurationSeconds: &r.length})
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != r.want {
			t.Errorf("%s: got %v, want %s", r.name, err, r.want)
		}
	}
	_, err = admin.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: ptr("arn:aws:iam::111122223333:role/open"), RoleSessionName: ptr("no spaces")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "ValidationError" {
		t.Errorf("malformed session name: got %v, want ValidationError", err)
	}
	c.Advance(15 * time.Minute)
	if _, err := session.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{}); err == nil {
		t.Error("expired session: got an answer, want a refusal")
	}
}
